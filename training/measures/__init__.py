"""What is measured on pictures and on machines, without the commands that do it."""
