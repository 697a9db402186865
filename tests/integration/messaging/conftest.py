"""A recorder in a process of its own, and a way to publish events to it as the relay does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import pytest

from shared.events import envelope
from shared.events.definitions.artifact import ArtifactPushed
from shared.messaging.connection import connected
from shared.messaging.publish import Outgoing, Publisher
from shared.messaging.topology import EVENTS
from tests.integration.broker import Broker, Process, eventually, running
from tests.integration.conftest import Database

RECORDER = "tests.integration.messaging.services:Recorder"
CONTEXT = envelope.EventContext(
    instance_id=uuid4(), actor=envelope.Actor(kind=envelope.ActorKind.USER, name="alice"), request_id="r-1"
)


def message(project: str) -> tuple[UUID, Outgoing]:
    """An event of a project; the recorder behaves by the project's name."""
    event_id = uuid4()
    pushed = ArtifactPushed(project=project, repository=f"{project}/app", digest=f"sha256:{'0' * 64}")
    body = envelope.build(pushed, context=CONTEXT, event_id=event_id, time=datetime.now(UTC))
    return event_id, Outgoing(
        exchange=EVENTS,
        routing_key=pushed.routing_key,
        body=envelope.encode(body).encode(),
        properties={"message_id": str(event_id), "content_type": "application/cloudevents+json"},
    )


@dataclass
class Bench:
    """A broker, a database and what came of the events."""

    rabbit: Broker
    database: Database
    home: Path

    def publish(self, *projects: str) -> list[UUID]:
        """Publish an event a project name, in order; returns the ids."""
        made = [message(project) for project in projects]
        self.publish_raw(*(outgoing for _, outgoing in made))
        return [event_id for event_id, _ in made]

    def publish_raw(self, *messages: Outgoing) -> None:
        with connected(self.rabbit.settings("relay")) as connection:
            Publisher(connection).publish(messages)

    def effects(self) -> list[UUID]:
        return [row[0] for row in self.rows("SELECT event_id FROM public.effects ORDER BY place")]

    def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        with self.database.superuser() as connection:
            return connection.execute(query).fetchall()

    def await_effects(self, *ids: UUID, seconds: float = 20) -> None:
        eventually(lambda: set(self.effects()), set(ids), seconds=seconds)
        assert len(self.effects()) == len(set(ids))

    def dead_letters(self) -> list[dict[str, Any]]:
        """Take the dead letters off; their headers."""
        letters = self.rabbit.take_all("audit.dead-letters")
        return [letter.properties["application_headers"] for letter in letters]

    @contextmanager
    def recorder(self, name: str = "recorder") -> Iterator[Process]:
        settings = self.database.settings("audit", amqp_port=self.rabbit.port)
        with running(RECORDER, settings, self.home / name) as process:
            process.has_logged("consuming")
            yield process


@pytest.fixture
def bench(rabbit: Broker, database: Database, tmp_path: Path) -> Iterator[Bench]:
    with database.superuser() as connection:
        connection.execute(
            "CREATE TABLE public.effects (event_id uuid PRIMARY KEY, size integer, "
            "place bigint GENERATED ALWAYS AS IDENTITY)"
        )
        connection.execute("GRANT USAGE ON SCHEMA public TO breakwater_audit")
        connection.execute("GRANT SELECT, INSERT ON public.effects TO breakwater_audit")
    begun = database.server.home / "slow-begun"
    begun.unlink(missing_ok=True)
    yield Bench(rabbit, database, tmp_path)
    begun.unlink(missing_ok=True)
