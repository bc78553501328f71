"""What a picture shows and how light falls on it: what the renderer is made of."""
