"""What can be done about a parked notification: take it in after all, or throw it away."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from services.webhook.commands.notification import record
from services.webhook.domain.notification import Unreadable, read
from services.webhook.domain.observation import observe
from services.webhook.errors import StillMalformed, UnknownParked
from services.webhook.queries.parked import get_parked
from services.webhook.tables import parked
from shared.events import EventContext, emit
from shared.events.definitions.parked_notification import ParkedNotificationAccepted, ParkedNotificationDiscarded


@dataclass(frozen=True, kw_only=True, slots=True)
class Retried:
    """What came of reading several again."""

    accepted: int
    kept: int
    """Those that still cannot be accepted, and stay."""
    events: int
    """New events of those that were accepted."""


def retry_parked(session: Session, parked_id: UUID, *, context: EventContext) -> int:
    """Read it again, as after an upgrade that knows more; returns how many events came of it.

    Raises UnknownParked, and StillMalformed where nothing has changed; nothing is written then.
    """
    found = get_parked(session, parked_id)
    notifications = read(found.body)
    for each in notifications:
        if isinstance(each, Unreadable):
            raise StillMalformed(f"the notification still cannot be accepted: {each.reason}")
    observations = [
        observation
        for each in notifications
        if not isinstance(each, Unreadable) and (observation := observe(each, instance_id=context.instance_id))
    ]
    reason = _take_off(session, parked_id)
    connection = session.connection().connection.driver_connection
    recorded = len(record(connection, observations))  # type: ignore[arg-type]  # psycopg's own connection, by the engine's URL
    event = ParkedNotificationAccepted(parked_id=str(parked_id), reason=reason, events=recorded)
    emit(session, event, context=context)
    return recorded


def retry_several(session: Session, ids: frozenset[UUID], *, context: EventContext) -> Retried:
    """Read several again; those that still cannot be accepted stay.

    Raises UnknownParked, and StillMalformed where all of them stay.
    """
    accepted, events, refusal = 0, 0, StillMalformed()
    for parked_id in sorted(ids):
        try:
            events += retry_parked(session, parked_id, context=context)
            accepted += 1
        except StillMalformed as error:
            refusal = error
    if not accepted:
        raise refusal
    return Retried(accepted=accepted, kept=len(ids) - accepted, events=events)


def discard_several(session: Session, ids: frozenset[UUID], *, context: EventContext) -> None:
    """Throw several away, or none. Raises UnknownParked."""
    for parked_id in sorted(ids):
        discard_parked(session, parked_id, context=context)


def discard_parked(session: Session, parked_id: UUID, *, context: EventContext) -> None:
    """Throw it away. Raises UnknownParked."""
    reason = _take_off(session, parked_id)
    emit(session, ParkedNotificationDiscarded(parked_id=str(parked_id), reason=reason), context=context)


def _take_off(session: Session, parked_id: UUID) -> str:
    """Delete it; the reason that it was there for. Of two who do it at once the second finds nothing."""
    statement = delete(parked).where(parked.c.id == parked_id).returning(parked.c.reason)
    row = session.execute(statement).one_or_none()
    if row is None:
        raise UnknownParked(f"no parked notification has the id {parked_id}")
    return str(row.reason)
