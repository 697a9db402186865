"""Records and pure rules of the system's metadata, a module for each noun."""
