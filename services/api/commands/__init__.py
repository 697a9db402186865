"""What changes the system's metadata: functions that emit the event in the caller's transaction; the edge commits."""
