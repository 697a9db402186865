"""Finds the usual faults of an instance and says of each what to do; it changes nothing, and waits for nobody long."""
