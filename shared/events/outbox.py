"""Writing an event into the outbox, in the transaction of its cause: published if and only if that commits."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import psycopg

from shared.events import envelope
from shared.events.envelope import EventContext
from shared.events.event import Event

if TYPE_CHECKING:  # whoever has a session has loaded SQLAlchemy; whoever has none is spared it
    from sqlalchemy.orm import Session

INSERT: Final = """
    INSERT INTO events.outbox (event_id, type, routing_key, project, body)
    VALUES (%(event_id)s, %(type)s, %(routing_key)s, %(project)s, CAST(%(body)s AS jsonb))
"""


def emit(
    session: "Session",
    event: Event,
    *,
    context: EventContext,
    event_id: UUID | None = None,
    time: datetime | None = None,
) -> UUID:
    """Add the event to the session's transaction and return its id.

    The id is random unless given; the time is now unless the event was noticed later than it happened.
    """
    row = _row(event, context, event_id, time)
    session.connection().exec_driver_sql(INSERT, row)
    return UUID(row["event_id"])


def emit_all(session: "Session", events: Sequence[Event], *, context: EventContext) -> None:
    """Add several events to the session's transaction, in their order."""
    rows = [_row(event, context, None, None) for event in events]
    if rows:
        session.connection().exec_driver_sql(INSERT, rows)


def emit_raw(
    connection: psycopg.Connection,
    events: Iterable[tuple[Event, UUID]],
    *,
    context: EventContext,
    time: datetime | None = None,
) -> None:
    """The same on a plain connection, for hot paths; the caller holds the transaction."""
    rows = [_row(event, context, event_id, time) for event, event_id in events]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(INSERT, rows)


def _row(event: Event, context: EventContext, event_id: UUID | None, time: datetime | None) -> dict[str, Any]:
    chosen = event_id or uuid4()
    body = envelope.build(event, context=context, event_id=chosen, time=time or datetime.now(UTC))
    return {
        "event_id": str(chosen),
        "type": event.type,
        "routing_key": event.routing_key,
        "project": event.project_name,
        "body": envelope.encode(body),
    }
