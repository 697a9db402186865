"""Pages of the portal in this process: the core mount's application, on a migrated database a module."""

from tests.integration.core.conftest import _logging, api, core_database, outbound_allow

__all__ = ["_logging", "api", "core_database", "outbound_allow"]
