"""The system's metadata: projects, members, users, robots, repositories, artifacts and tags."""
