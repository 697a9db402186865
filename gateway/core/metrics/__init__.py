"""What Prometheus is told, a module for each component; the values come from the database, never from this process."""
