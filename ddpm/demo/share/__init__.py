"""Files of a run, and a link that leads back to it."""
