"""Carrying out retention, a repository at a time: first what stays and goes is written down, then it goes one by one.

A task is held by a lease. Whoever is killed loses it, and another goes on by what is written; an artifact that was
pushed, tagged or pulled since is left alone. Artifacts are deleted as the API deletes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.deletion import delete_artifact
from services.api.commands.retention import close_if_done, context_of, lock_execution
from services.api.domain.immutability import immutable_among
from services.api.domain.retention import LEASE, Candidate, Mark, Rule, Status, Verdict, judge, rule_of
from services.api.errors import TagIsImmutable
from services.api.queries.artifact import get_artifact
from services.api.queries.immutability import rules_of
from services.api.queries.retention import read_verdict
from services.api.tables import artifacts, repositories, retention_executions, retention_tasks, retention_verdicts, tags
from shared.errors import BreakwaterError, NotFound, Unavailable
from shared.events import EventContext
from shared.names import Digest, RepositoryName
from shared.registry.client import RegistryClient

Sessions = sessionmaker[Session]

MOST_ATTEMPTS: Final = 8
"""How often in a row a task is begun that gets no further."""
PAUSE: Final = timedelta(seconds=15)
"""How long a task waits after the first time that registry or database were away; then longer each time."""

_CLAIM: Final = text(
    """
    UPDATE core.retention_tasks
    SET status = 'Running', holder = :holder, lease_until = :until, attempts = attempts + 1,
        started_at = coalesce(started_at, :now)
    WHERE id = (
        SELECT id FROM core.retention_tasks
        WHERE finished_at IS NULL AND (status = 'Pending' OR lease_until < :now)
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, execution_id, repository, attempts, planned
    """
)
_NEXT: Final = (
    select(retention_verdicts)
    .where(~retention_verdicts.c.settled, retention_verdicts.c.mark == Mark.DELETE)
    .order_by(retention_verdicts.c.position)
    .limit(1)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A task that is held."""

    task_id: int
    execution_id: int
    repository: RepositoryName
    holder: UUID
    attempts: int
    planned: bool
    dry_run: bool
    rules: tuple[Rule, ...]
    context: EventContext


def claim_task(session: Session, *, pool_id: UUID, instance_id: UUID, now: datetime) -> Claim | None:
    """Take the oldest task that nobody holds; None where there is none. A process has one at a time."""
    task = session.execute(_CLAIM, {"holder": pool_id, "until": now + LEASE, "now": now}).one_or_none()
    if task is None:
        return None
    execution = session.execute(
        select(retention_executions).where(retention_executions.c.id == task.execution_id)
    ).one()
    return Claim(
        task_id=task.id,
        execution_id=task.execution_id,
        repository=RepositoryName(task.repository),
        holder=pool_id,
        attempts=task.attempts,
        planned=task.planned,
        dry_run=execution.dry_run,
        rules=tuple(rule_of(stored) for stored in execution.rules),
        context=context_of(execution, instance_id),
    )


def carry_out(
    sessions: Sessions,
    registry: RegistryClient,
    claim: Claim,
    *,
    clock: Callable[[], datetime],
    is_stopping: Callable[[], bool] = lambda: False,
) -> Status | None:
    """Do a task to its end, and return how it ended; None where it was given back or lost to another.

    Where registry or database are away the task waits; after several times in a row it is given up.
    """
    try:
        if claim.attempts > MOST_ATTEMPTS:
            return _finish(sessions, claim, Status.ERROR, clock(), error="given up: it got no further, again and again")
        if not claim.planned and not _plan(sessions, claim, clock()):
            return None
        ended = None if claim.dry_run else _delete_all(sessions, registry, claim, clock, is_stopping)
    except Unavailable:
        _give_back(sessions, claim, until=clock() + PAUSE * claim.attempts)
        raise
    match ended:
        case None if not claim.dry_run:
            return None
        case Status.STOPPED:
            return _finish(sessions, claim, Status.STOPPED, clock())
        case _:
            return _finish(sessions, claim, Status.SUCCESS, clock())


def _plan(sessions: Sessions, claim: Claim, now: datetime) -> bool:
    """Write down what becomes of each artifact; whether the task is still held."""
    with sessions.begin() as session:
        if _hold(session, claim, now) is None:
            return False
        candidates = _candidates(session, claim.repository)
        about = [rule for rule in claim.rules if rule.is_about(claim.repository.rest)]
        immutable = rules_of(session, claim.repository.project)
        verdicts = [
            _verdict(claim, candidate, mark, immutable_among(immutable, claim.repository, candidate.tags))
            for candidate, mark in zip(candidates, judge(about, candidates, now=now), strict=True)
        ]
        if verdicts:
            session.execute(
                insert(retention_verdicts),
                [_row(claim, position, verdict) for position, verdict in enumerate(verdicts)],
            )
        kept = sum(verdict.mark is not Mark.DELETE for verdict in verdicts)
        session.execute(
            update(retention_tasks)
            .where(retention_tasks.c.id == claim.task_id)
            .values(planned=True, total=len(verdicts), retained=kept)
        )
    return True


def _candidates(session: Session, repository: RepositoryName) -> list[Candidate]:
    """What is listed of a repository, the newest first: an index comes before what it refers to.

    What is about another artifact, a signature, is not: it stays as long as that does, and goes with it.
    """
    named = func.array_agg(aggregate_order_by(tags.c.name, tags.c.name)).filter(tags.c.name.is_not(None))
    rows = session.execute(
        select(artifacts.c.digest, artifacts.c.type, artifacts.c.pushed_at, artifacts.c.pulled_at, named.label("tags"))
        .join(repositories, repositories.c.id == artifacts.c.repository_id)
        .outerjoin(tags, tags.c.artifact_id == artifacts.c.id)
        .where(repositories.c.name == repository.text, artifacts.c.listed)
        .group_by(artifacts.c.id)
        .order_by(artifacts.c.pushed_at.desc(), artifacts.c.id.desc())
    )
    return [
        Candidate(
            digest=row.digest,
            tags=tuple(row.tags or ()),
            type=row.type,
            pushed_at=row.pushed_at,
            pulled_at=row.pulled_at,
        )
        for row in rows
    ]


def _verdict(claim: Claim, candidate: Candidate, mark: Mark, immutable: Sequence[str]) -> Verdict:
    if mark is Mark.DELETE and immutable:
        return Verdict(candidate=candidate, mark=Mark.IMMUTABLE, reason=f"the tag {immutable[0]} is immutable")
    return Verdict(candidate=candidate, mark=mark, settled=claim.dry_run or mark is Mark.RETAIN)


def _row(claim: Claim, position: int, verdict: Verdict) -> dict[str, object]:
    candidate = verdict.candidate
    return {
        "task_id": claim.task_id,
        "position": position,
        "digest": candidate.digest,
        "tags": list(candidate.tags),
        "type": candidate.type,
        "pushed_at": candidate.pushed_at,
        "pulled_at": candidate.pulled_at,
        "mark": verdict.mark,
        "reason": verdict.reason,
        "settled": verdict.settled,
    }


def _delete_all(
    sessions: Sessions,
    registry: RegistryClient,
    claim: Claim,
    clock: Callable[[], datetime],
    is_stopping: Callable[[], bool],
) -> Status | None:
    """Delete what is to go; SUCCESS at the end, STOPPED where that was asked for, None where it is not ours."""
    progress = False
    while True:
        if is_stopping():
            _give_back(sessions, claim, until=clock())
            return None
        with sessions.begin() as session:
            stopping = _hold(session, claim, clock(), progress=progress)
            row = session.execute(_NEXT.where(retention_verdicts.c.task_id == claim.task_id)).one_or_none()
        if stopping is None:
            return None
        if row is None:
            return Status.SUCCESS
        if stopping:
            return Status.STOPPED
        mark, reason = _delete(sessions, registry, claim, read_verdict(row).candidate)
        with sessions.begin() as session:
            session.execute(
                update(retention_verdicts)
                .where(retention_verdicts.c.task_id == claim.task_id, retention_verdicts.c.position == row.position)
                .values(mark=mark, reason=reason, settled=True)
            )
        progress = True


def _delete(
    sessions: Sessions, registry: RegistryClient, claim: Claim, planned: Candidate
) -> tuple[Mark, str]:
    """Delete one artifact, unless it is not what it was. Raises Unavailable."""
    digest = Digest(planned.digest)
    try:
        with sessions() as session:
            found = get_artifact(session, claim.repository, digest)
        now = (frozenset(tag.name for tag in found.tags), found.pushed_at, found.pulled_at)
        if now != (frozenset(planned.tags), planned.pushed_at, planned.pulled_at):
            return Mark.RETAIN, "it was pushed, tagged or pulled meanwhile"
        delete_artifact(sessions, registry, repository=claim.repository, reference=digest, context=claim.context)
    except NotFound:
        return Mark.DELETE, ""
    except TagIsImmutable as error:
        return Mark.IMMUTABLE, error.sentence
    except Unavailable:
        raise
    except BreakwaterError as error:
        return Mark.ERROR, error.sentence
    return Mark.DELETE, ""


def _hold(session: Session, claim: Claim, now: datetime, *, progress: bool = False) -> bool | None:
    """Prolong the lease; whether the execution is to stop, None where the task is another's, or gone."""
    prolonged = (
        update(retention_tasks)
        .where(
            retention_tasks.c.id == claim.task_id,
            retention_tasks.c.holder == claim.holder,
            retention_tasks.c.finished_at.is_(None),
        )
        .values(lease_until=now + LEASE, **({"attempts": 0} if progress else {}))
        .returning(retention_tasks.c.execution_id)
    )
    execution_id = session.scalar(prolonged)
    if execution_id is None:
        return None
    return bool(
        session.scalar(select(retention_executions.c.stopping).where(retention_executions.c.id == execution_id))
    )


def _give_back(sessions: Sessions, claim: Claim, *, until: datetime) -> None:
    with sessions.begin() as session:
        session.execute(
            update(retention_tasks)
            .where(retention_tasks.c.id == claim.task_id, retention_tasks.c.holder == claim.holder)
            .values(holder=None, lease_until=until)
        )


def _finish(
    sessions: Sessions, claim: Claim, status: Status, now: datetime, *, error: str = ""
) -> Status | None:
    """End a task, and with the last one its execution."""
    with sessions.begin() as session:
        if lock_execution(session, claim.execution_id) is None or _hold(session, claim, now) is None:
            return None
        left = Mark.STOPPED if status is Status.STOPPED else Mark.ERROR
        of_task = retention_verdicts.c.task_id == claim.task_id
        session.execute(
            update(retention_verdicts)
            .where(of_task, ~retention_verdicts.c.settled)
            .values(mark=left, reason=error, settled=True)
        )
        deleted = retention_verdicts.c.mark == Mark.DELETE
        gone = session.scalar(select(func.count()).select_from(retention_verdicts).where(of_task, deleted))
        session.execute(
            update(retention_tasks)
            .where(retention_tasks.c.id == claim.task_id)
            .values(
                status=status,
                error=error,
                retained=retention_tasks.c.total - int(gone or 0),
                holder=None,
                lease_until=None,
                finished_at=now,
            )
        )
        close_if_done(session, claim.execution_id, instance_id=claim.context.instance_id, now=now)
    return status
