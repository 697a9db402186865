"""Use cases that read."""
