"""The event mount under its real server, on a database whose log the tests write as the relay does."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from cryptography.fernet import Fernet

from services.webhook.commands.outbox import number
from shared.auth.passwords import hash_password
from shared.events import Actor, ActorKind, Event, EventContext, emit_raw
from shared.events.definitions.artifact import ArtifactPushed
from shared.postgres import connect
from tests.clients.stream import Stream
from tests.integration.conftest import Database
from tests.servers import Postgres, free_port, start, stop, wait_for

PASSWORD = "Correct1horse"
ROLES = {"projectAdmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedGuest": 5}
CODE = Path(__file__).parents[3]
_HASH = hash_password(PASSWORD)
_numbers = count(1)


@dataclass(frozen=True)
class World:
    """What happens: accounts, projects and events, straight in the database."""

    database: Database
    url: str = ""
    _context: EventContext = field(
        default_factory=lambda: EventContext(
            instance_id=uuid4(),
            actor=Actor(kind=ActorKind.USER, name="alice"),
            address="192.0.2.7",
            user_agent="docker/28.2.2",
        )
    )

    def sql(self, statement: str, *arguments: object) -> list[tuple[object, ...]]:
        with self.database.superuser() as connection:
            cursor = connection.execute(statement.encode(), arguments)
            return cursor.fetchall() if cursor.description else []

    def user(self, *, admin: bool = False) -> str:
        name = f"user{next(_numbers)}"
        self.sql("INSERT INTO core.users (username, password_hash, sysadmin) VALUES (%s, %s, %s)", name, _HASH, admin)
        return name

    def project(self, *, public: bool = False) -> str:
        name = f"project{next(_numbers)}"
        self.sql("INSERT INTO core.projects (name, owner_id, public) VALUES (%s, 1, %s)", name, public)
        return name

    def member(self, project: str, role: str, *, name: str | None = None) -> str:
        name = name or self.user()
        self.sql(
            "INSERT INTO core.members (project_id, user_id, role_id)"
            " SELECT p.id, u.id, %s FROM core.projects p, core.users u WHERE p.name = %s AND u.username = %s",
            ROLES[role],
            project,
            name,
        )
        return name

    def robot(self, project: str, *, access: str = '[{"resource": "repository", "action": "list"}]') -> str:
        name = f"{project}+robot{next(_numbers)}"
        self.sql(
            "INSERT INTO core.robots (name, project_id, secret_hash, permissions)"
            " SELECT %s, id, %s, jsonb_build_array(jsonb_build_object('namespace', name, 'access', %s::jsonb))"
            " FROM core.projects WHERE name = %s",
            name,
            _HASH,
            access,
            project,
        )
        return f"robot${name}"

    def happen(self, *events: Event, at: datetime | None = None) -> int:
        """Emit the events and number them; returns the last sequence."""
        with connect(self.database.settings("core")) as connection, connection.transaction():
            emit_raw(connection, [(event, uuid4()) for event in events], context=self._context, time=at)
        return self.number()

    def number(self) -> int:
        with connect(self.database.settings("relay")) as connection:
            while number(connection, most=500).moved:
                pass
            row = connection.execute(b"SELECT last_sequence FROM events.relay").fetchone()
        assert row
        return int(row[0])

    def push(self, project: str, *, tag: str = "v1", repository: str = "app") -> int:
        """A push into a project; returns its sequence."""
        return self.happen(pushed(project, tag=tag, repository=repository))

    def stream(self, name: str | None, *, last_event_id: str | None = None, **filters: str) -> Stream:
        credentials = (name, PASSWORD) if name else None
        return Stream(self.url, credentials, last_event_id=last_event_id, **filters)


def pushed(project: str, *, tag: str = "v1", repository: str = "app") -> ArtifactPushed:
    return ArtifactPushed(project=project, repository=f"{project}/{repository}", digest=f"sha256:{0:064x}", tag=tag)


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def event_mount(database: Database, folder: Path, *, port: int | None = None) -> Iterator[str]:
    """The mount under gunicorn, as the supervisor starts it; yields its URL."""
    key = database.server.home / "secrets" / "config-key"
    if not key.exists():
        key.write_text(Fernet.generate_key().decode())
    port = port or free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CODE),
        "BREAKWATER_PART": "events",
        "BREAKWATER_HOME": str(database.server.home),
        "BREAKWATER_RUN": str(database.server.run),
        "BREAKWATER_DATABASE_PORT": str(database.server.port),
        "BREAKWATER_DATABASE_NAME": database.name,
    }
    command = [
        sys.executable, "-m", "gunicorn", "-k", "asgi", "-w", "1", "--bind", f"127.0.0.1:{port}",
        "--graceful-timeout", "8", "--no-control-socket", "gateway.events.app:application()",
    ]  # fmt: skip
    process = start(command, log=folder / "events.log", environment=environment, cwd=CODE)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers(url), seconds=30, what="the event mount answers")
        yield url
    finally:
        stop(process)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


@pytest.fixture(scope="module")
def world(
    postgres_server: Postgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    database = Database(postgres_server, postgres_server.new_database(migrated_template))
    with database.superuser() as connection:
        connection.execute("UPDATE core.users SET password_hash = %s WHERE id = 1", (_HASH,))
    with event_mount(database, tmp_path_factory.mktemp("mount")) as url:
        yield World(database, url)
    postgres_server.drop_database(database.name)
