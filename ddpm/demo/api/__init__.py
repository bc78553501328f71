"""The page's work by program."""
