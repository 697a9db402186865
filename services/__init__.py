"""The services: each owns its schema, and none imports another."""
