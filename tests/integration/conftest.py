"""One PostgreSQL for the whole run; each test gets a migrated database of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from shared.settings import Settings
from tests.integration.broker import Broker, broker
from tests.servers import Postgres, postgres


@dataclass(frozen=True)
class Database:
    """A migrated database of one test."""

    server: Postgres
    name: str

    def settings(self, part: str, **overrides: object) -> Settings:
        """The settings of a part, for `shared.db.engine` and `shared.postgres.connect`."""
        return self.server.settings(part, database=self.name, **overrides)

    def superuser(self) -> psycopg.Connection:
        """A connection that may do everything, in autocommit mode."""
        return self.server.connect(self.name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    return postgres_server.migrated()


@pytest.fixture
def database(postgres_server: Postgres, migrated_template: str) -> Iterator[Database]:
    name = postgres_server.new_database(migrated_template)
    yield Database(postgres_server, name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def session_broker(postgres_server: Postgres) -> Iterator[Broker]:
    with broker(postgres_server) as started:
        yield started


@pytest.fixture
def rabbit(session_broker: Broker) -> Broker:
    """The session's broker with empty queues."""
    session_broker.purge()
    return session_broker
