"""The one set of templates that the local run and the containers use alike."""
