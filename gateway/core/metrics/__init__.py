"""What Prometheus is told, a module for each component: by the database and the parts, never by this process."""
