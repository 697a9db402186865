"""Carrying out collections of garbage: artifacts without a tag first, by the API's own deletion, then the storage.

Whoever carries one out holds the storage's lock, and a lease on the row: killed, it leaves a row that the next one
ends, and a registry that puts itself back.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Engine, Row, exists, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from services.api.collector import BEAT_SECONDS, Collector, Outcome
from services.api.commands.collection import begin, context_of, end, end_lost
from services.api.commands.deletion import delete_artifact
from services.api.domain.collection import GRACE, LEASE
from services.api.domain.retention import Status
from services.api.errors import SeveralRegistries
from services.api.queries.collection import is_untagged, untagged
from services.api.tables import collections
from shared import logging
from shared.errors import BreakwaterError, NotFound, Unavailable
from shared.events.envelope import rfc3339
from shared.locks import STORAGE_LOCK
from shared.registry.client import RegistryClient

Sessions = sessionmaker[Session]

HEARD: Final = timedelta(minutes=2)
"""What was written later the catalogue may not have heard of yet: there nothing is deleted this time."""
MOST_LINES: Final = 2000
"""Of a log; beyond them things are counted, not named."""


class Work:
    """One collection that is held, with its log."""

    def __init__(
        self,
        sessions: Sessions,
        row: Row[Any],
        *,
        clock: Callable[[], datetime],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._sessions, self._clock, self._is_stopping = sessions, clock, is_stopping
        self._lines: list[str] = []
        self._left_out = 0
        self._progress = ""
        self._beaten_at = datetime.min.replace(tzinfo=clock().tzinfo)
        self.row = row
        self.artifacts = 0

    @property
    def now(self) -> datetime:
        """The time."""
        return self._clock()

    @property
    def log(self) -> str:
        """All that was noted."""
        more = [f"… and {self._left_out} more"] if self._left_out else []
        return "".join(f"{line}\n" for line in (*self._lines[:MOST_LINES], *more, *self._lines[MOST_LINES:]))

    def note(self, line: str) -> None:
        """Add a line that is never left out."""
        self._lines.append(f"{rfc3339(self._clock())} {line}")

    def name(self, line: str) -> None:
        """Add one of many lines."""
        if len(self._lines) < MOST_LINES:
            self._lines.append(line)
        else:
            self._left_out += 1

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take what the registry's parent says."""
        if "log" in message:
            self.note(str(message["log"]))
        elif "blob" in message:
            size = message.get("size")
            self.name(f"blob {message['blob']}{'' if size is None else f', {size} bytes'}")
        elif message.get("eligible"):
            self._progress = f"{message['gone']} of {message['eligible']} blobs"
        else:
            self._progress = f"{message.get('repositories', 0)} repositories looked at"

    def goes_on(self) -> bool:
        """Write down how far it is and prolong the lease, every few seconds; whether to go on."""
        now = self._clock()
        if now < self._beaten_at + timedelta(seconds=BEAT_SECONDS):
            return not self._is_stopping()
        self._beaten_at = now
        with self._sessions.begin() as session:
            stopping = session.scalar(
                update(collections)
                .where(
                    collections.c.id == self.row.id,
                    collections.c.pool_id == self.row.pool_id,
                    collections.c.status == Status.RUNNING,
                )
                .values(
                    lease_until=now + LEASE,
                    updated_at=now,
                    log=self.log,
                    progress=self._progress,
                    artifacts=self.artifacts,
                )
                .returning(collections.c.stopping)
            )
        # None: somebody took it for lost
        return stopping is False and not self._is_stopping()


def carry_out_collection(
    sessions: Sessions,
    registry: RegistryClient,
    collector: Collector,
    *,
    pool_id: UUID,
    instance_id: UUID,
    clock: Callable[[], datetime],
    is_stopping: Callable[[], bool] = lambda: False,
    registries: int = 1,
) -> Status | None:
    """Carry out the collection that waits, and return how it ended; None where none waits, or the storage is held.

    Where several registries write to the storage it is refused: the row ends, and its log says why.
    """
    with sessions.begin() as session:
        end_lost(session, instance_id=instance_id, now=clock())
        if not session.scalar(select(exists().where(collections.c.status == Status.PENDING))):
            return None
        bind = session.get_bind().engine
    with storage_to_itself(bind) as held:
        if not held:
            return None
        with sessions.begin() as session:
            row = begin(session, pool_id=pool_id, instance_id=instance_id, now=clock())
        if row is None:
            return None
        work = Work(sessions, row, clock=clock, is_stopping=is_stopping)
        outcome = _carry_out(sessions, registry, collector, work, instance_id=instance_id, alone=registries == 1)
        with sessions.begin() as session:
            end(
                session,
                row.id,
                outcome.status,
                pool_id=pool_id,
                log=work.log,
                instance_id=instance_id,
                now=clock(),
                artifacts=work.artifacts,
                blobs=outcome.blobs,
                freed=outcome.freed,
            )
        return outcome.status


@contextmanager
def storage_to_itself(bind: Engine) -> Iterator[bool]:
    """Hold the storage's lock, exclusively; whether it was to be had."""
    with bind.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": STORAGE_LOCK}))
        try:
            yield held
        finally:
            if held:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": STORAGE_LOCK})


def _carry_out(
    sessions: Sessions, registry: RegistryClient, collector: Collector, work: Work, *, instance_id: UUID, alone: bool
) -> Outcome:
    dry_run = work.row.dry_run
    work.note(f"{'dry run of ' if dry_run else ''}garbage collection begins")
    try:
        if not alone:
            raise SeveralRegistries
        if work.row.delete_untagged and not _delete_untagged(sessions, registry, work, instance_id):
            outcome = Outcome(status=Status.STOPPED)
        else:
            outcome = collector.collect(dry_run=dry_run, hear=work.hear, goes_on=work.goes_on)
    except BreakwaterError as error:
        outcome = Outcome(status=Status.ERROR, reason=error.sentence)
    match outcome.status:
        case Status.SUCCESS:
            went = "would go" if dry_run else "went"
            work.note(f"ended: {outcome.blobs} blobs {went}, {outcome.freed} bytes of the storage")
        case Status.STOPPED:
            work.note("stopped: the registry takes pushes")
        case _:
            work.note(f"failed: {outcome.reason}")
            logging.get().error("garbage_not_collected", collection=work.row.id, reason=outcome.reason)
    return outcome


def _delete_untagged(sessions: Sessions, registry: RegistryClient, work: Work, instance_id: UUID) -> bool:
    """Delete the artifacts that nothing keeps, or name them; whether it went on to the end."""
    now = work.now
    with sessions() as session:
        doomed = untagged(session, before=now - GRACE, heard=now - HEARD)
    work.note(f"{len(doomed)} artifacts have no tag, and no other artifact keeps them")
    for repository, digest in doomed:
        if not work.goes_on():
            return False
        if not work.row.dry_run:
            with sessions() as session:
                # once more: somebody may have begun to push there since
                heard = work.now - HEARD
                still = is_untagged(session, repository, digest, before=now - GRACE, heard=heard)
            if not still:
                continue
            try:
                context = context_of(work.row, instance_id)
                delete_artifact(sessions, registry, repository=repository, reference=digest, context=context)
            except NotFound:
                continue
            except Unavailable:
                raise
            except BreakwaterError as error:
                work.name(f"{repository}@{digest} stays: {error.sentence}")
                continue
        work.artifacts += 1
        work.name(f"{repository}@{digest}{' would be' if work.row.dry_run else ''} deleted")
    if work.row.dry_run and work.artifacts:
        work.note("their blobs are not in the figures below: for those they would have to be deleted first")
    return True
