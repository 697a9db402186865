"""What reads the system's metadata: functions that take a Session and return records."""
