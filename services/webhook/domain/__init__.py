"""What the registry tells, and what of it becomes an event."""
