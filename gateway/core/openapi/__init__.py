"""The API's description, as OpenAPI 3.1 and as a page: made from the routes, the bodies and the shapes of answers."""
