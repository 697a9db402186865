"""Registry tokens: who somebody is, what of the asked scopes they get, and the signature under it."""
