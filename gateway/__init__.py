"""The HTTP face: three mounts that call the services' use cases in process."""
