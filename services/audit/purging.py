"""Carrying out purges that the API or a schedule asks for, by rows of `core.audit_purges`.

A purge and the end of its row are one transaction: killed in between, it has not been, and is done again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session, sessionmaker

from services.audit.commands import count_older, purge
from services.audit.domain.chain import ChainKey
from services.audit.domain.record import event_types
from services.audit.errors import PurgeRefused
from shared import logging
from shared.errors import BreakwaterError, Unavailable
from shared.events import Actor, ActorKind, EventContext
from shared.events.envelope import rfc3339

_BEGIN: Final = text(
    """
    UPDATE core.audit_purges SET status = 'Running', pool_id = :pool, updated_at = :now WHERE id = (
        SELECT id FROM core.audit_purges WHERE finished_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id
    """
)
_ONLY_HARBORS: Final = ("logout_user",)
"""Kinds that Harbor's clients name too, and that nothing here is recorded as."""
_HOLD: Final = text(
    """
    SELECT id, hours, kinds, dry_run, actor, actor_kind, request_id FROM core.audit_purges
    WHERE id = :id AND pool_id = :pool AND finished_at IS NULL FOR UPDATE SKIP LOCKED
    """
)
_END: Final = text(
    """
    UPDATE core.audit_purges SET status = :status, log = :log, updated_at = :now, finished_at = :now
    WHERE id = :id AND finished_at IS NULL
    """
)


def carry_out_purge(
    sessions: sessionmaker[Session],
    *,
    key_of: Callable[[Session], ChainKey],
    pool_id: UUID,
    instance_id: UUID,
    clock: Callable[[], datetime],
) -> bool:
    """Carry out the oldest purge that waits; whether there was one.

    Raises Unavailable where database or key are away: the purge waits. What else goes wrong ends it, with its reason.
    """
    with sessions.begin() as session:
        purge_id = session.scalar(_BEGIN, {"now": clock(), "pool": pool_id})
    if purge_id is None:
        return False
    try:
        with sessions.begin() as session:
            row = session.execute(_HOLD, {"id": purge_id, "pool": pool_id}).one_or_none()
            if row is not None:
                log = _purge(session, row, key_of=key_of, instance_id=instance_id, now=clock())
                session.execute(_END, {"id": purge_id, "status": "Success", "log": log, "now": clock()})
    except Unavailable:
        raise
    except BreakwaterError as error:
        logging.get().error("purge_failed", purge=purge_id, reason=error.sentence)
        with sessions.begin() as session:
            log = f"failed to purge audit log: {error.sentence}\n"
            session.execute(_END, {"id": purge_id, "status": "Error", "log": log, "now": clock()})
    return True


def unknown_words(words: Sequence[str]) -> list[str]:
    """Those that are neither a kind of record, of Harbor's or of ours, nor an operation."""
    known = {*event_types(), *_ONLY_HARBORS}
    known |= {kind.partition("_")[0] for kind in known}
    return [word for word in words if word not in known]


def kinds_meant(words: Sequence[str]) -> frozenset[str]:
    """Kinds of records, out of kinds and of operations that stand for all of theirs; what nobody records is dropped."""
    return frozenset(kind for kind in event_types() if kind in words or kind.partition("_")[0] in words)


def _purge(
    session: Session, row: Row[Any], *, key_of: Callable[[Session], ChainKey], instance_id: UUID, now: datetime
) -> str:
    """Purge, and say what was done."""
    older_than = now - timedelta(hours=row.hours)
    kinds = kinds_meant(row.kinds)
    number = 0
    if kinds:
        # all kinds at once are a purge of everything, which drops whole partitions
        some = () if kinds == frozenset(event_types()) else sorted(kinds)
        if row.dry_run:
            number = count_older(session, older_than=older_than, kinds=some)
        else:
            actor = Actor(kind=ActorKind(row.actor_kind), name=row.actor)
            context = EventContext(instance_id=instance_id, actor=actor, request_id=row.request_id or None)
            try:
                number = purge(
                    session, older_than=older_than, key=key_of(session), now=now, context=context, kinds=some
                ).records
            except PurgeRefused:
                number = 0
    done = "[DRYRUN]Purged" if row.dry_run else "Purged"
    return (
        "Purge audit job start\n"
        f"Purge operation parameter, retention_hour={row.hours}, older_than={rfc3339(older_than)}, "
        f"include_event_types:{','.join(sorted(kinds))}, dry_run:{str(row.dry_run).lower()}\n"
        f"{done} {number} rows of audit logs\n"
    )
