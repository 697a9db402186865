"""Other registries, as the ends of a transfer: one client of the distribution specification, one adapter a kind."""

from services.replication.remote.connect import connect

__all__ = ["connect"]
