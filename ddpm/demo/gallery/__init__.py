"""Several pictures of the same labels."""
