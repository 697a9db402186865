"""Copies to and from other registries: policies, what came of them, and the registries themselves."""
