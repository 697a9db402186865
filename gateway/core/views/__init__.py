"""Records as Harbor's JSON, a module for each tag of the API."""
