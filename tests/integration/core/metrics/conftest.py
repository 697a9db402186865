"""The API with a broker behind it, of whose parts nothing has been told yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.broker import Broker
from tests.integration.conftest import Database
from tests.integration.core.metrics.scraping import serving
from tests.integration.core.people import Api


@pytest.fixture(scope="module")
def api(core_database: Database, session_broker: Broker) -> Iterator[Api]:
    with serving(core_database.settings("core", amqp_port=session_broker.port)) as client:
        yield Api(client, core_database)


@pytest.fixture(autouse=True)
def _nothing_told(core_database: Database) -> None:
    with core_database.superuser() as connection:
        connection.execute("TRUNCATE metrics.parts, metrics.figures, events.outbox, events.log, events.parked")
        connection.execute("UPDATE events.relay SET last_sequence = 0, published_through = 0")
        connection.execute("DELETE FROM core.collections")
