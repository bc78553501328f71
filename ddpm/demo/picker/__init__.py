"""What to draw, and how."""
