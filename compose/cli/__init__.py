"""The `./breakwater` verbs."""
