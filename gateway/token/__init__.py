"""The token mount: the only process that reads the signing key."""
