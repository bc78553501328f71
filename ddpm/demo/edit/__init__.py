"""One thing in a picture changes, the rest stays."""
