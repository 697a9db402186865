"""Real clients of a registry, as the tests and the bench drive them: none of them knows Breakwater's code."""
