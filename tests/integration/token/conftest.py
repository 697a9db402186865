"""The token mount under the real gunicorn, on a migrated database that all tests of a module share."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from shared.settings import Settings
from tests.integration.conftest import Database
from tests.integration.token.mount import Mount, prepare_secrets, token_mount
from tests.servers import Postgres, short_folder
from tests.slapd import LOOPBACK


@pytest.fixture(scope="session")
def token_server(postgres_server: Postgres) -> Iterator[Postgres]:
    """The session's PostgreSQL with secrets of this folder's own: here keys are renewed by which others sign."""
    with short_folder() as home:
        shutil.copytree(postgres_server.home / "secrets", home / "secrets")
        shutil.copy(postgres_server.home / "instance-id", home)
        yield replace(postgres_server, home=home)


@pytest.fixture(scope="module")
def token_database(token_server: Postgres, migrated_template: str) -> Iterator[Database]:
    name = token_server.new_database(migrated_template)
    yield Database(token_server, name)
    token_server.drop_database(name)


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
