"""What this folder's tests share."""

from collections.abc import Iterator

import pytest

from tests.integration.conftest import Database
from tests.integration.replication.desk import Desk, desk_of


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    with desk_of(database) as desk:
        yield desk
