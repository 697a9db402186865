"""The nightly comparison can be interrupted: where it stands is a row. Only one comparison runs at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session

from services.api.errors import AlreadyComparing
from services.api.tables import reconciliation

PERIOD: Final = timedelta(hours=24)
NIGHT: Final = range(1, 5)
"""Hours of UTC at which a comparison begins by itself."""
OVERDUE: Final = timedelta(hours=36)
"""After that the next one does not wait for the night."""

_LOCK_KEY: Final = 0x4257_434F_4D50


@contextmanager
def only_comparison(bind: Engine) -> Iterator[None]:
    """Be the only comparison of this database. Raises AlreadyComparing."""
    with bind.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK_KEY}):
            raise AlreadyComparing
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK_KEY})


def is_due(session: Session, now: datetime) -> bool:
    """Whether one is to begin or, after an interruption, to go on."""
    row = session.execute(select(reconciliation)).one()
    if row.started_at is not None and (row.finished_at is None or row.finished_at < row.started_at):
        return True
    if row.finished_at is None:
        return now.hour in NIGHT
    age = now - row.finished_at
    return age > OVERDUE or (age > PERIOD - timedelta(hours=len(NIGHT)) and now.hour in NIGHT)


def resume(session: Session, now: datetime) -> str | None:
    """Begin, or go on; returns the last repository that is done, empty at a beginning.

    None where it is not due any more: another process has ended it since this one has asked.
    """
    if not is_due(session, now):
        return None
    row = session.execute(select(reconciliation)).one()
    if row.started_at is not None and (row.finished_at is None or row.finished_at < row.started_at):
        return str(row.repository)
    session.execute(update(reconciliation).values(repository="", started_at=now, finished_at=None))
    return ""


def advance(session: Session, repository: str) -> None:
    """This repository is done."""
    session.execute(update(reconciliation).values(repository=repository))


def finish(session: Session, now: datetime) -> None:
    """All of them are done."""
    session.execute(update(reconciliation).values(repository="", finished_at=now))
