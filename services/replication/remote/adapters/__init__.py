"""One small module for each kind of registry, over the one client."""
