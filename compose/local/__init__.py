"""The parts as children of one supervisor on one machine."""
