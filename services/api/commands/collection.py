"""Asking for collections of garbage: a row is a wish, which the metadata service carries out. One waits or runs."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.schedule import take_due
from services.api.domain.collection import LEASE, CollectionWish, parse_wish
from services.api.domain.retention import Status, Trigger
from services.api.domain.schedule import ScheduleKind
from services.api.errors import CollectionRunning, NoSuchCollection
from services.api.tables import collections
from shared.auth.principals import SYSTEM_PREFIX
from shared.events import Actor, ActorKind, EventContext, emit
from shared.events.definitions.garbage_collection import GarbageCollectionFinished, GarbageCollectionStarted

KEPT: Final = 100
"""How many collections are remembered."""
_STATES: Final = {Status.SUCCESS: "succeeded", Status.STOPPED: "stopped"}
LOST: Final = "the process that carried it out is gone"


def request_collection(
    session: Session, wish: CollectionWish, *, trigger: Trigger, actor: Actor, request_id: str, now: datetime
) -> int:
    """Ask for a collection; returns its number. Raises CollectionRunning."""
    collection_id: int | None = session.scalar(
        upsert(collections)
        .values(
            trigger=trigger,
            delete_untagged=wish.delete_untagged,
            dry_run=wish.dry_run,
            parameters=dict(wish.parameters),
            actor=actor.name,
            actor_kind=actor.kind,
            request_id=request_id,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing()
        .returning(collections.c.id)
    )
    if collection_id is None:
        raise CollectionRunning
    oldest = select(collections.c.id).order_by(collections.c.id.desc()).offset(KEPT).limit(1).scalar_subquery()
    session.execute(delete(collections).where(collections.c.finished_at.is_not(None), collections.c.id <= oldest))
    return collection_id


def request_due(session: Session, *, now: datetime) -> bool:
    """Ask for the collection that the schedule says; whether one was due. While another is open, none is added."""
    due = take_due(session, ScheduleKind.GARBAGE_COLLECTION, now=now)
    if due is None:
        return False
    actor = Actor(kind=ActorKind.SYSTEM, name=f"{SYSTEM_PREFIX}metadata")
    wish = parse_wish(due.parameters)
    try:
        request_collection(session, wish, trigger=Trigger.SCHEDULE, actor=actor, request_id="", now=now)
    except CollectionRunning:
        return True
    return True


def stop_collection(session: Session, collection_id: int, *, now: datetime) -> bool:
    """Withdraw a collection that nobody has begun, break off one that runs; one that has ended stays.

    Says whether there was something to stop. Raises NoSuchCollection.
    """
    row = session.execute(
        select(collections.c.status).where(collections.c.id == collection_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NoSuchCollection
    this = update(collections).where(collections.c.id == collection_id)
    if row.status == Status.PENDING:
        ended = {"status": Status.STOPPED, "log": "withdrawn before it began\n", "updated_at": now, "finished_at": now}
        session.execute(this.values(ended))
    elif row.status == Status.RUNNING:
        session.execute(this.values(stopping=True))
    return row.status in {Status.PENDING, Status.RUNNING}


def begin(session: Session, *, pool_id: UUID, instance_id: UUID, now: datetime) -> Row[Any] | None:
    """Take the collection that waits, and tell of it; None where none does."""
    waiting = (
        select(collections.c.id).where(collections.c.status == Status.PENDING).with_for_update(skip_locked=True)
    ).scalar_subquery()
    row = session.execute(
        update(collections)
        .where(collections.c.id == waiting)
        .values(status=Status.RUNNING, pool_id=pool_id, lease_until=now + LEASE, updated_at=now)
        .returning(collections)
    ).one_or_none()
    if row is not None:
        event = GarbageCollectionStarted(
            collection_id=row.id, trigger=row.trigger, dry_run=row.dry_run, delete_untagged=row.delete_untagged
        )
        emit(session, event, context=context_of(row, instance_id))
    return row


def end(
    session: Session,
    collection_id: int,
    status: Status,
    *,
    pool_id: UUID | None,
    log: str,
    instance_id: UUID,
    now: datetime,
    artifacts: int = 0,
    blobs: int = 0,
    freed: int = 0,
) -> None:
    """Write down how a collection ended, and tell of it; nothing where another has."""
    row = session.execute(
        update(collections)
        .where(
            collections.c.id == collection_id,
            collections.c.pool_id == pool_id,
            collections.c.status == Status.RUNNING,
        )
        .values(
            status=status,
            log=log,
            progress="",
            artifacts=artifacts,
            blobs=blobs,
            freed=freed,
            lease_until=None,
            updated_at=now,
            finished_at=now,
        )
        .returning(collections)
    ).one_or_none()
    if row is not None:
        event = GarbageCollectionFinished(
            collection_id=row.id,
            trigger=row.trigger,
            dry_run=row.dry_run,
            state=_STATES.get(status, "failed"),
            artifacts=row.artifacts,
            blobs=row.blobs,
            freed=row.freed,
        )
        emit(session, event, context=context_of(row, instance_id))


def end_lost(session: Session, *, instance_id: UUID, now: datetime) -> bool:
    """End a collection of which nothing is heard any more; whether there was one.

    The registry has put itself back by then: its parent breaks off when the connection to it closes.
    """
    row = session.execute(
        select(collections)
        .where(collections.c.status == Status.RUNNING, collections.c.lease_until < now)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return False
    end(
        session,
        row.id,
        Status.ERROR,
        pool_id=row.pool_id,
        log=f"{row.log}{LOST}\n",
        instance_id=instance_id,
        now=now,
        artifacts=row.artifacts,
    )
    return True


def context_of(row: Row[Any], instance_id: UUID) -> EventContext:
    """What surrounds the events of a collection: whoever asked for it."""
    return EventContext(
        instance_id=instance_id,
        actor=Actor(kind=ActorKind(row.actor_kind), name=row.actor),
        request_id=row.request_id or None,
    )
