"""What every training shares: pictures, presets, and the state of a run."""
