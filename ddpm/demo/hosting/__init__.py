"""What a server on the open internet needs: limits, a port, a place for files."""
