"""The registry as its own services see it: over a unix socket, with the system's own short tokens."""
