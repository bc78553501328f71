"""Everything that made the bundled weights: scenes, renderer, training loops and measurements."""
