"""A picture that goes back into the noise and out again."""
