"""A stand-in for the API of Kubernetes, for the real helm and kubectl to be run against. It is no cluster."""
