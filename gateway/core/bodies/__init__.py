"""Bodies that clients send: exactly the fields they may set, a module for each tag of the API."""
