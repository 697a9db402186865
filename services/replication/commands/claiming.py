"""Who works on which task: tasks are handed out fairly, held by workers that beat, and taken from those that do not.

Locks are taken in one order: execution, then its tasks by their numbers. Whoever has lost a task can record nothing
about it any more.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.orm import Session

from services.replication.commands.waking import wake_workers
from services.replication.domain.claim import Claim, Waiting, share_out
from services.replication.domain.execution import ExecutionState, Scope
from services.replication.domain.task import Operation, Progress, TaskState
from services.replication.queries import content
from services.replication.queries.rows import read_policy, read_registry
from services.replication.tables import executions, policies, registries, tasks
from shared.names import Digest

LOST: Final = timedelta(seconds=15)
"""Since a worker's last beat: then what it held is handed out anew."""
_LOOKED_AT: Final = 4
"""Tasks looked at for each that is wanted: some may wait for another one of the same tag."""

_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(7302021)")
_WAITING: Final = text(
    """
    SELECT p.id, p.concurrency, p.served_at, r.id AS registry_id, r.concurrency AS room
    FROM replication.policies p JOIN replication.registries r ON r.id = coalesce(p.target_id, p.source_id)
    WHERE EXISTS (SELECT FROM replication.tasks t
                  WHERE t.policy_id = p.id AND t.state = 'pending' AND t.due_at <= :now)
    """
)
_RUNNING: Final = text(
    """
    SELECT policy_id, registry_id, count(*) AS number FROM replication.tasks
    WHERE state = 'running' GROUP BY policy_id, registry_id
    """
)
# a tag's tasks run one after the other: else an older state of it could arrive after the newer one
_NEXT: Final = text(
    """
    SELECT t.id, t.source, t.tags FROM replication.tasks t
    JOIN replication.executions e ON e.id = t.execution_id AND e.state = 'running' AND NOT e.stopping
    WHERE t.policy_id = :policy AND t.state = 'pending' AND t.due_at <= :now
      AND NOT EXISTS (SELECT FROM replication.tasks o
                      WHERE o.state = 'running' AND o.policy_id = t.policy_id AND o.source = t.source
                        AND o.tags && t.tags)
    ORDER BY t.due_at, t.id LIMIT :most
    """
)
_SOURCES: Final = text(
    """
    SELECT s.repository, coalesce(p.public, false) AS public,
           EXISTS (SELECT FROM directory.artifacts a WHERE a.repository = s.repository AND a.subject IS NOT NULL)
               AS referred
    FROM unnest(CAST(:repositories AS text[])) AS s (repository)
    LEFT JOIN directory.projects p ON p.name = split_part(s.repository, '/', 1)
    """
)
_TAKE: Final = text(
    """
    WITH mine AS (
        SELECT id FROM replication.tasks WHERE id = ANY (:ids) AND state = 'pending' ORDER BY id FOR UPDATE
    )
    UPDATE replication.tasks t SET state = 'running', worker = :worker, attempts = attempts + 1,
        started_at = coalesce(started_at, :now)
    FROM mine WHERE t.id = mine.id
    RETURNING t.id, execution_id, policy_id, registry_id, operation, source, target, tags, attempts, traceparent
    """
)
_REPORT: Final = text(
    """
    UPDATE replication.tasks t
    SET blobs_total = n.blobs_total, blobs_done = n.blobs_done, bytes_total = n.bytes_total,
        bytes_done = n.bytes_done, bytes_sent = n.bytes_sent
    FROM unnest(CAST(:ids AS bigint[]), CAST(:blobs_total AS integer[]), CAST(:blobs_done AS integer[]),
                CAST(:bytes_total AS bigint[]), CAST(:bytes_done AS bigint[]), CAST(:bytes_sent AS bigint[]))
        AS n (id, blobs_total, blobs_done, bytes_total, bytes_done, bytes_sent)
    WHERE t.id = n.id AND t.worker = :worker AND t.state = 'running'
    """
)
_HELD: Final = text(
    """
    SELECT t.id, e.stopping FROM replication.tasks t JOIN replication.executions e ON e.id = t.execution_id
    WHERE t.worker = :worker AND t.state = 'running'
    """
)
_SHARES: Final = text(
    """
    SELECT policy_id, count(*) FILTER (WHERE worker = :worker)::float / count(*) AS share
    FROM replication.tasks WHERE state = 'running' AND policy_id = ANY (:policies)
    GROUP BY policy_id HAVING count(*) FILTER (WHERE worker = :worker) > 0
    """
)
_REAP: Final = text(
    """
    UPDATE replication.tasks t SET state = 'pending', worker = NULL, due_at = :now
    WHERE t.id IN (
        SELECT o.id FROM replication.tasks o
        WHERE o.state = 'running' AND NOT EXISTS (
            SELECT FROM replication.pools p WHERE p.id = o.worker AND p.heartbeat_at > now() - CAST(:lost AS interval)
        )
        FOR UPDATE SKIP LOCKED
    )
    RETURNING t.id
    """
)


def claim(session: Session, worker: UUID, *, free: int, now: datetime) -> list[Claim]:
    """Up to `free` tasks, ours from now on."""
    session.execute(_ONE_AT_A_TIME)
    ready = session.execute(_WAITING, {"now": now}).all()
    if not ready:
        return []
    of_policy: Counter[int] = Counter()
    of_registry: Counter[int] = Counter()
    for row in session.execute(_RUNNING):
        of_policy[row.policy_id] += row.number
        of_registry[row.registry_id] += row.number
    waiting = [
        Waiting(
            policy_id=row.id,
            registry_id=row.registry_id,
            room=row.concurrency - of_policy[row.id],
            running=of_policy[row.id],
            served_at=row.served_at,
        )
        for row in ready
    ]
    room = {row.registry_id: row.room - of_registry[row.registry_id] for row in ready}
    taken: list[Any] = []
    for policy_id, number in share_out(waiting, room, free).items():
        taken += _take(session, worker, policy_id, number, now)
    return _claims(session, worker, taken)


def report(session: Session, worker: UUID, progress: Mapping[int, Progress]) -> dict[int, bool]:
    """Write down how far tasks are; returns those still held, and whether each is to be stopped."""
    if progress:
        columns = ("blobs_total", "blobs_done", "bytes_total", "bytes_done", "bytes_sent")
        values = {name: [getattr(each, name) for each in progress.values()] for name in columns}
        session.execute(_REPORT, {"worker": worker, "ids": list(progress), **values})
    return {row.id: row.stopping for row in session.execute(_HELD, {"worker": worker})}


def shares(session: Session, worker: UUID, policy_ids: Collection[int]) -> dict[int, float]:
    """How much of what policies have under way is in a worker's hand: 1 is all, and none is not among them."""
    found = session.execute(_SHARES, {"worker": worker, "policies": sorted(policy_ids)})
    return {row.policy_id: row.share for row in found}


def reap(session: Session, *, now: datetime) -> int:
    """Hand out anew what workers held that do not beat any more; returns how many tasks."""
    reaped = len(session.scalars(_REAP, {"now": now, "lost": f"{LOST.total_seconds()} seconds"}).all())
    if reaped:
        wake_workers(session)
    return reaped


def give_back(session: Session, worker: UUID, task_ids: Sequence[int], *, now: datetime) -> None:
    """Let others go on with what we hold: this process ends, and no attempt has failed."""
    if not task_ids:
        return
    wake_workers(session)
    session.execute(
        update(tasks)
        .where(tasks.c.id.in_(task_ids), tasks.c.worker == worker, tasks.c.state == TaskState.RUNNING)
        .values(state=TaskState.PENDING, worker=None, due_at=now, attempts=func.greatest(tasks.c.attempts - 1, 0))
    )


def _take(session: Session, worker: UUID, policy_id: int, number: int, now: datetime) -> Sequence[Any]:
    found = session.execute(_NEXT, {"policy": policy_id, "now": now, "most": number * _LOOKED_AT})
    busy: set[tuple[str, str]] = set()
    ids: list[int] = []
    for row in found:
        keys = {(row.source, tag) for tag in row.tags}
        if len(ids) < number and not keys & busy:
            ids.append(row.id)
        busy |= keys
    if not ids:
        return []
    session.execute(update(policies).where(policies.c.id == policy_id).values(served_at=now))
    return session.execute(_TAKE, {"worker": worker, "ids": ids, "now": now}).all()


def _claims(session: Session, worker: UUID, taken: Sequence[Any]) -> list[Claim]:
    if not taken:
        return []
    sources = {row.source for row in taken}
    known = {row.repository: row for row in session.execute(_SOURCES, {"repositories": sorted(sources)})}
    found_policies = select(policies).where(policies.c.id.in_({row.policy_id for row in taken}))
    found_registries = select(registries).where(registries.c.id.in_({row.registry_id for row in taken}))
    running = select(executions.c.id, executions.c.dry_run, executions.c.scope).where(
        executions.c.id.in_({row.execution_id for row in taken}), executions.c.state == ExecutionState.RUNNING
    )
    by_policy = {row.id: read_policy(row) for row in session.execute(found_policies)}
    by_registry = {row.id: read_registry(row) for row in session.execute(found_registries)}
    by_execution = {row.id: row for row in session.execute(running)}
    is_dry = {row.id: row.dry_run for row in by_execution.values()}
    # an event may be ahead of the catalogue: what it brought is read from the registry
    compared = {row.id for row in by_execution.values() if row.scope == Scope.EVERYTHING}
    pushed = [row for row in taken if by_policy[row.policy_id].pushes and row.execution_id in compared]
    standing = content.standing(session, [(row.source, tag) for row in pushed for tag in row.tags])
    return [
        Claim(
            worker=worker,
            task_id=row.id,
            execution_id=row.execution_id,
            attempt=row.attempts,
            operation=Operation(row.operation),
            source=row.source,
            target=row.target,
            references=tuple(row.tags),
            dry_run=is_dry.get(row.execution_id, False),
            policy=by_policy[row.policy_id],
            registry=by_registry[row.registry_id],
            public=row.source in known and known[row.source].public,
            referred=row.source in known and known[row.source].referred,
            catalogued=_catalogued(standing, row) if row in pushed else {},
            traceparent=row.traceparent,
        )
        for row in taken
    ]


def _catalogued(standing: Mapping[tuple[str, str], Digest], task: Row[Any]) -> dict[str, Digest]:
    return {tag: standing[task.source, tag] for tag in task.tags if (task.source, tag) in standing}
