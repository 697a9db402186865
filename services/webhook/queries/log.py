"""The numbered log, as the relay reads it."""

from dataclasses import dataclass
from typing import Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import class_row

UNPUBLISHED: Final[LiteralString] = """
    SELECT sequence, event_id, type, routing_key, body::text AS body, body->>'traceparent' AS traceparent
    FROM events.log WHERE sequence > %(after)s ORDER BY sequence LIMIT %(most)s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logged:
    """A numbered event; the body is its envelope's JSON text."""

    sequence: int
    event_id: UUID
    type: str
    routing_key: str
    body: str
    traceparent: str | None


def published_through(connection: psycopg.Connection) -> int:
    """The number up to which the broker has everything."""
    row = connection.execute("SELECT published_through FROM events.relay").fetchone()
    return int(row[0]) if row else 0


def unpublished(connection: psycopg.Connection, *, after: int, most: int) -> list[Logged]:
    """The next events to publish, in order."""
    with connection.cursor(row_factory=class_row(Logged)) as cursor:
        return cursor.execute(UNPUBLISHED, {"after": after, "most": most}).fetchall()
