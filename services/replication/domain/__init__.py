"""Records and pure rules of replication."""
