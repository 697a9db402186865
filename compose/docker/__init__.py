"""The same parts, templates and secrets in containers."""
