"""Pages of the portal in this process: the core mount's application, on a migrated database a module."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import Database
from tests.integration.core.conftest import _logging, api, core_database, outbound_allow
from tests.integration.portal.stock import Stock, stocked

__all__ = ["_logging", "api", "core_database", "outbound_allow", "stock"]


@pytest.fixture(scope="module")
def stock(core_database: Database) -> Iterator[Stock]:
    """The same application over a real registry."""
    with stocked(core_database) as filled:
        yield filled
