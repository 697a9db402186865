"""Verifying the newest links each hour and when the API asks, and remembering what was found.

It finds what is changed under a running system early; the proof of the whole record, with the log as its witness, is
made on the command line, and its outcome is remembered here too.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from psycopg import Connection
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from services.audit.domain.chain import ChainKey
from services.audit.queries.verification import Verdict, verify
from services.audit.tables import checks
from shared import logging

NEWEST: Final = 10_000
EVERY: Final = timedelta(hours=1)
RECENT: Final = "recent"
WHOLE: Final = "all"
_LOCK_KEY: Final = 7302031


def verify_when_due(
    sessions: sessionmaker[Session], *, key_of: Callable[[Session], ChainKey], now: datetime
) -> Verdict | None:
    """Verify the newest links if somebody waits for it, or an hour has passed; what was found, None where not due.

    Nor where another process is just at it.
    """
    with sessions.begin() as turn:
        mine = turn.scalar(
            select(func.pg_try_advisory_xact_lock(_LOCK_KEY)).where(
                checks.c.scope == RECENT,
                or_(
                    checks.c.asked_at.is_not(None), checks.c.verified_at.is_(None), checks.c.verified_at < now - EVERY
                ),
            )
        )
        if mine is not True:
            return None
        key = key_of(turn)
        with sessions() as session:
            connection = session.connection().connection.driver_connection
            if not isinstance(connection, Connection):
                raise TypeError("the record is verified over psycopg")
            connection.rollback()  # verification begins a transaction of its own
            verdict = verify(connection, key, newest=NEWEST)
        remember(turn, RECENT, verdict, now)
    if verdict.broken:
        logging.get().error("audit_record_broken", at=str(verdict.broken))
    return verdict


def remember(session: Session, scope: str, verdict: Verdict, now: datetime) -> None:
    """Keep what a verification found, for those who ask later."""
    session.execute(
        update(checks)
        .where(checks.c.scope == scope)
        .values(
            asked_at=None,
            verified_at=now,
            first_link=verdict.first,
            links=verdict.links,
            broken=str(verdict.broken) if verdict.broken else None,
        )
    )
