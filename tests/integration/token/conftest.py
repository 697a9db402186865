"""The token mount under the real gunicorn, on a migrated database that all tests of a module share."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared.settings import Settings
from tests.integration.conftest import Database
from tests.integration.token.mount import Mount, prepare_secrets, token_mount
from tests.servers import Postgres
from tests.slapd import LOOPBACK


@pytest.fixture(scope="module")
def token_database(postgres_server: Postgres, migrated_template: str) -> Iterator[Database]:
    name = postgres_server.new_database(migrated_template)
    yield Database(postgres_server, name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def rows(token_database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection for factories."""
    with token_database.superuser() as connection:
        yield connection


@pytest.fixture(scope="module")
def token_settings(token_database: Database) -> Settings:
    settings = token_database.settings("token", outbound_allow=LOOPBACK)
    prepare_secrets(settings)
    return settings


@pytest.fixture(scope="module")
def mount(token_settings: Settings, token_database: Database) -> Iterator[Mount]:
    """One worker, so that what it remembers is one memory."""
    with token_mount(token_settings, token_database) as running:
        yield running
