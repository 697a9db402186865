"""The broker of this folder's tests, and the intake and relay as they really run."""

from __future__ import annotations

import http.client
import json
import secrets
import select
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import pytest

from shared.settings import Settings
from tests.clients.notifications import CONTENT_TYPE
from tests.integration.broker import Broker, Process, running
from tests.integration.conftest import Database
from tests.servers import Postgres, free_port

INTAKE = "services.webhook.intake:IntakeService"
RELAY = "services.webhook.service:RelayService"


@dataclass
class Intake:
    """The intake, and a kept-alive connection to it as the registry keeps one."""

    port: int
    token: str
    process: Process
    database: Database
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def post(self, body: bytes, **headers: str) -> tuple[int, str]:
        connection = self._open()
        sent = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {self.token}"} | headers
        connection.request("POST", "/service/notifications", body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def _open(self) -> http.client.HTTPConnection:
        """The connection; another where the intake has ended it for having been idle, as Go's client looks for too."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0)[0]:
            self._connection.close()
        return self._connection

    def send(self, *events: dict[str, Any]) -> tuple[int, str]:
        return self.post(json.dumps({"events": list(events)}).encode())

    def health(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
        return status

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with self.database.superuser() as connection:
            return connection.execute(query, values).fetchall()

    def outbox(self) -> list[dict[str, Any]]:
        """The envelopes in the outbox, in order."""
        return [row[0] for row in self.rows("SELECT body FROM events.outbox ORDER BY id")]

    def parked(self) -> list[tuple[str, bytes]]:
        return [(row[0], row[1]) for row in self.rows("SELECT reason, body FROM events.parked ORDER BY received_at")]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


@contextmanager
def intake_of(database: Database, log: Path, *, port: int | None = None, token: str = "") -> Iterator[Intake]:
    settings = database.settings("intake", intake_port=port or free_port())
    file = settings.secrets / "intake" / "notification-token"
    if token or not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(token or secrets.token_urlsafe(12))
    token = file.read_text()
    with running(INTAKE, settings, log) as process:
        process.has_logged("started")
        intake = Intake(settings.intake_port, token, process, database)
        yield intake
        intake.close()


@pytest.fixture(scope="session")
def session_intake(
    postgres_server: Postgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intake]:
    database = Database(postgres_server, postgres_server.new_database(migrated_template))
    with intake_of(database, tmp_path_factory.mktemp("intake") / "log") as intake:
        yield intake
    postgres_server.drop_database(database.name)


@pytest.fixture
def intake(session_intake: Intake) -> Intake:
    """The session's intake with nothing taken in yet."""
    with session_intake.database.superuser() as connection:
        connection.execute("TRUNCATE events.outbox, events.seen, events.parked, events.expected")
    return session_intake


@pytest.fixture
def own_intake(database: Database, tmp_path: Path) -> Iterator[Intake]:
    """An intake that a test may do harm to."""
    with intake_of(database, tmp_path / "intake") as intake:
        yield intake


def relay_settings(database: Database, rabbit: Broker) -> Settings:
    return database.settings("relay", amqp_port=rabbit.port)
