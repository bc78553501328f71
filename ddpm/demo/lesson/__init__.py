"""How it works, explained on the model that is loaded."""
