"""The tab Draw: one run as a film."""
