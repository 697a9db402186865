"""One module for each part of the portal; a page reads and acts by the REST API alone."""
