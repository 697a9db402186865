"""The relay as it really runs, what is written for it to number, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg

from tests.integration.broker import Broker, Process, running
from tests.integration.conftest import Database
from tests.integration.webhook.conftest import RELAY, relay_settings

INSERT: LiteralString = """
    INSERT INTO events.outbox (event_id, type, routing_key, project, body)
    SELECT id, 'breakwater.' || %(kind)s || '.v1', %(kind)s || '.p', 'p', jsonb_build_object('id', id)
    FROM unnest(%(ids)s::uuid[]) AS id
"""


def write(connection: psycopg.Connection, count: int, *, kind: str = "artifact.pushed") -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    connection.execute(INSERT, {"ids": ids, "kind": kind})
    return ids


def write_awaiting(connection: psycopg.Connection, expected: UUID) -> None:
    """An event of a push that the registry has told of and has not answered yet."""
    connection.execute(
        "INSERT INTO events.outbox (event_id, type, routing_key, project, awaits, body) VALUES "
        "(%s, 'breakwater.artifact.pushed.v1', 'artifact.pushed.p', 'p', %s, '{}')",
        (uuid4(), expected),
    )


def rows(database: Database, query: LiteralString) -> list[tuple[Any, ...]]:
    with database.superuser() as connection:
        return connection.execute(query).fetchall()


def head(database: Database) -> tuple[int, int]:
    """The last number given, and the last published."""
    last, published = rows(database, "SELECT last_sequence, published_through FROM events.relay")[0]
    return last, published


@contextmanager
def relay(database: Database, rabbit: Broker, log: Path) -> Iterator[Process]:
    with running(RELAY, relay_settings(database, rabbit), log) as process:
        yield process
