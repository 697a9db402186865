"""What can be done about a parked notification: take it in after all, or throw it away."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from services.webhook.commands.notification import record
from services.webhook.domain.notification import Unreadable, read
from services.webhook.domain.observation import observe
from services.webhook.errors import StillMalformed, UnknownParked
from services.webhook.queries.parked import get_parked
from services.webhook.tables import parked


def retry_parked(session: Session, parked_id: UUID, *, instance_id: UUID) -> int:
    """Read it again, as after an upgrade that knows more; returns how many events came of it.

    Raises UnknownParked, and StillMalformed where nothing has changed.
    """
    found = get_parked(session, parked_id)
    notifications = read(found.body)
    for each in notifications:
        if isinstance(each, Unreadable):
            raise StillMalformed(f"the notification still cannot be accepted: {each.reason}")
    observations = [
        observation
        for each in notifications
        if not isinstance(each, Unreadable) and (observation := observe(each, instance_id=instance_id))
    ]
    connection = session.connection().connection.driver_connection
    recorded = record(connection, observations)  # type: ignore[arg-type]  # psycopg's own connection, by the engine's URL
    discard_parked(session, parked_id)
    return recorded


def discard_parked(session: Session, parked_id: UUID) -> None:
    """Throw it away. Raises UnknownParked."""
    if session.execute(delete(parked).where(parked.c.id == parked_id).returning(parked.c.id)).one_or_none() is None:
        raise UnknownParked(f"no parked notification has the id {parked_id}")
