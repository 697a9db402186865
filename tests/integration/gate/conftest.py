from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from urllib3 import Timeout

from shared.db import engine, session_factory
from shared.registry.transport import UnixPool
from tests.integration.broker import CHECKOUT
from tests.integration.conftest import Database
from tests.integration.gate.policed import Project
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Answer, Pusher, RegistryServer, Tokens, registry_server, token_mount
from tests.servers import Postgres, _accepts, short_folder, stop, wait_for

_numbers = count(1)


@pytest.fixture(scope="session")
def tokens(postgres_server: Postgres) -> Iterator[Tokens]:
    with token_mount(postgres_server) as mounted:
        yield mounted


@pytest.fixture(scope="module")
def registry(tokens: Tokens) -> Iterator[RegistryServer]:
    with registry_server(tokens) as server:
        yield server


@pytest.fixture(scope="module")
def database(postgres_server: Postgres, migrated_template: str) -> Iterator[Database]:
    """One database, one registry and one core mount serve all tests here: each has a repository of its own."""
    name = postgres_server.new_database(migrated_template)
    yield Database(postgres_server, name)
    postgres_server.drop_database(name)


@contextmanager
def core_mount(database: Database, registry: RegistryServer, **more: str) -> Iterator[Path]:
    """The core mount under gunicorn, as it runs in an instance; gives its socket."""
    settings = database.settings("core")
    environment = {
        "BREAKWATER_HOME": str(settings.home),
        "BREAKWATER_RUN": str(settings.run),
        "BREAKWATER_PART": "core",
        "BREAKWATER_DATABASE_PORT": str(settings.database_port),
        "BREAKWATER_DATABASE_NAME": settings.database_name,
        "BREAKWATER_REGISTRY_SOCKET": str(registry.socket),
    }
    with short_folder() as folder:
        socket = folder / "core.sock"
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:compose.conf.gunicorn", "-k", "gthread", "-w", "1",
                 "--threads", "16", "-b", f"unix:{socket}", "gateway.core.app:application()"],
                cwd=CHECKOUT, env=os.environ | environment | more, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        try:
            wait_for(lambda: _accepts(socket), seconds=30, what="the core mount listens")
            pool = UnixPool(socket, timeout=Timeout(connect=30, read=30))
            assert pool.urlopen("GET", "/api/v2.0/ping").status == 200
            yield socket
        finally:
            stop(process)


@pytest.fixture(scope="module")
def gate(database: Database, registry: RegistryServer) -> Iterator[Path]:
    with core_mount(database, registry) as socket:
        yield socket


@pytest.fixture
def pusher(registry: RegistryServer, tokens: Tokens, gate: Path) -> Pusher:
    return Pusher(tokens=tokens, socket=registry.socket, gate=gate)


class Expected:
    """The rows of events.expected."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, columns: str = "kind, repository, reference, digest, state") -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM events.expected ORDER BY created_at"  # noqa: S608 - the tests' own words
        with self._database.superuser() as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def expected(database: Database) -> Expected:
    with database.superuser() as connection:
        connection.execute("TRUNCATE events.expected")
    return Expected(database)


@dataclass(frozen=True)
class Reader:
    """Somebody who asks the core mount for lists, with a token of his own or none."""

    gate: Path
    tokens: Tokens

    def ask(
        self, path: str, scope: dict[str, str] | None = None, *, method: str = "GET", authorization: str | None = None
    ) -> Answer:
        headers = {"Host": "registry.test", "X-Forwarded-For": "192.0.2.5", "User-Agent": "reader/1"}
        if scope is not None:
            headers["Authorization"] = f"Bearer {self.tokens.issue('alice', scope)}"
        if authorization is not None:
            headers["Authorization"] = authorization
        response = UnixPool(self.gate).urlopen(method, path, headers=headers)
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=response.data,
        )

    def tags(self, repository: str, query: str = "") -> Answer:
        return self.ask(f"/v2/{repository}/tags/list{query}", {repository: "pull"})

    def referrers(self, repository: str, digest: str, query: str = "") -> Answer:
        return self.ask(f"/v2/{repository}/referrers/{digest}{query}", {repository: "pull"})


@pytest.fixture
def reader(gate: Path, tokens: Tokens) -> Reader:
    return Reader(gate, tokens)


@pytest.fixture
def catalogue(database: Database, registry: RegistryServer, tokens: Tokens) -> Iterator[Catalogue]:
    """What metadata would do: nothing, until a test lets it observe."""
    bind = engine(database.settings("metadata"), pool_size=2)
    yield Catalogue(database, session_factory(bind), registry.client(tokens))
    bind.dispose()


@pytest.fixture
def app() -> str:
    """A repository that no other test has."""
    return f"library/app-{token_hex(4)}"


@pytest.fixture
def project(database: Database, registry: RegistryServer, tokens: Tokens) -> Iterator[Project]:
    bind = engine(database.settings("metadata"), pool_size=4)
    name = f"team{next(_numbers)}"
    with database.superuser() as connection:
        connection.execute("INSERT INTO core.projects (name, owner_id) VALUES (%s, 1)", (name,))
    yield Project(name, database, session_factory(bind), registry, tokens)
    bind.dispose()
