"""Events become changes, several of one tag one change; and changes become one run of their policy.

A change is a hint: what is done about it is decided when it is done, by what both registries hold then.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.replication.commands.telling import tell_finished, tell_started
from services.replication.commands.waking import wake, wake_workers
from services.replication.domain.execution import ExecutionState, Scope
from services.replication.domain.mapping import target_of
from services.replication.domain.policy import Policy, ResourceKind, Trigger
from services.replication.domain.task import Operation, TaskState
from services.replication.errors import UnfitPolicy
from services.replication.queries.rows import read_execution, read_policy
from services.replication.tables import changes, copies, executions, policies, tasks
from shared.events import Envelope, EventContext
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPushed
from shared.events.definitions.tag import TagCreated, TagDeleted
from shared.tracing.context import well_formed

WINDOW: Final = timedelta(seconds=0.1)
"""A push is told of by several events: they become one."""
PAUSE: Final = timedelta(seconds=1)
"""Between two runs of one policy that changes begin: a burst becomes a few runs, not thousands."""
MOST_AT_ONCE: Final = 1_000

_Change = tuple[str, str]
"""A repository here, and a tag or digest in it."""

_LAST: Final = text(
    """
    SELECT created_at FROM replication.executions
    WHERE policy_id = :policy AND scope = 'changes' ORDER BY id DESC LIMIT 1
    """
)


def note(session: Session, envelopes: Sequence[Envelope], *, now: datetime) -> int:
    """Keep what events tell to the policies that follow events; returns how many changes there are now to act on."""
    touched: dict[_Change, bool] = {}
    causes: dict[_Change, str] = {}
    for envelope in envelopes:
        for change, gone in _touched(session, envelope):
            touched[change] = gone
            causes.setdefault(change, well_formed(envelope.traceparent))
    if not touched:
        return 0
    following = select(policies).where(
        policies.c.enabled, policies.c.trigger == Trigger.EVENT_BASED, policies.c.target_id.is_not(None)
    )
    rows = [
        {
            "policy_id": policy.id,
            "source": repository,
            "reference": reference,
            "due_at": now + WINDOW,
            "traceparent": causes[repository, reference],
        }
        for policy in map(read_policy, session.execute(following))
        for (repository, reference), gone in touched.items()
        if (policy.deletion or not gone)
        and policy.takes_repository(repository)
        and (":" in reference or policy.takes_tag(reference))
    ]
    if rows:
        # locks are taken in one order, whichever events come together
        ordered = sorted(rows, key=lambda row: (row["policy_id"], row["source"], row["reference"]))
        session.execute(upsert(changes).values(ordered).on_conflict_do_nothing())
        wake(session)
    return len(rows)


def begin(session: Session, *, now: datetime, context: EventContext) -> int | None:
    """Make a run of one policy's changes that are due; returns its number, None where none is due."""
    policy = _due_policy(session, now)
    if policy is None:
        return None
    taken = (
        select(changes.c.source, changes.c.reference)
        .where(changes.c.policy_id == policy.id, changes.c.due_at <= now)
        .order_by(changes.c.due_at)
        .limit(MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
        .subquery()
    )
    gone = (
        delete(changes)
        .where(
            changes.c.policy_id == policy.id,
            changes.c.source == taken.c.source,
            changes.c.reference == taken.c.reference,
        )
        .returning(changes.c.source, changes.c.reference, changes.c.traceparent)
    )
    causes = {(row.source, row.reference): row.traceparent for row in session.execute(gone)}
    rows, message = _tasks(policy, _not_waiting(session, policy.id, sorted(causes)), causes, now)
    if not rows and not message:
        return None
    row = session.execute(
        insert(executions)
        .values(
            policy_id=policy.id,
            trigger=Trigger.EVENT_BASED,
            scope=Scope.CHANGES,
            operator=policy.creator,
            state=ExecutionState.RUNNING if rows else ExecutionState.FAILED,
            message=message,
            total=len(rows),
            in_progress=len(rows),
            created_at=now,
            ended_at=None if rows else now,
        )
        .returning(executions)
    ).one()
    execution = read_execution(row)
    tell_started(session, execution, context=context)
    if rows:
        session.execute(insert(tasks), [each | {"execution_id": execution.id} for each in rows])
        wake_workers(session)
    else:
        tell_finished(session, execution, context=context)
    return execution.id


def _due_policy(session: Session, now: datetime) -> Policy | None:
    """The policy whose changes waited longest, locked; one that had a run just now waits until its pause is over."""
    oldest = (
        select(changes.c.policy_id)
        .join(policies, policies.c.id == changes.c.policy_id)
        .where(changes.c.due_at <= now, policies.c.enabled)
        .order_by(changes.c.due_at)
        .limit(1)
    )
    policy_id = session.scalar(oldest)
    if policy_id is None:
        return None
    statement = select(policies).where(policies.c.id == policy_id).with_for_update(skip_locked=True, key_share=True)
    row = session.execute(statement).one_or_none()
    if row is None:
        return None
    last: datetime | None = session.scalar(_LAST, {"policy": policy_id})
    if last is not None and last > now - PAUSE:
        session.execute(
            update(changes)
            .where(changes.c.policy_id == policy_id, changes.c.due_at <= now)
            .values(due_at=last + PAUSE)
        )
        return None
    return read_policy(row)


def _touched(session: Session, envelope: Envelope) -> Iterator[tuple[_Change, bool]]:
    """What an event is about, and whether that is gone by its word."""
    match envelope.event:
        case TagCreated() as event:
            yield (event.repository, event.tag), False
        case TagDeleted() as event:
            yield (event.repository, event.tag), True
        case ArtifactPushed() as event:
            yield (event.repository, event.tag or event.digest), False
        case ArtifactDeleted() as event:
            if event.tag:
                yield (event.repository, event.tag), True
            # a manifest takes all its tags with it, whether or not each is told of
            gone = select(copies.c.reference).where(
                copies.c.source == event.repository,
                or_(copies.c.digest == event.digest, copies.c.intended == event.digest),
            )
            for reference in session.scalars(gone).unique():
                yield (event.repository, reference), True


def _not_waiting(session: Session, policy_id: int, pairs: list[_Change]) -> list[_Change]:
    """Those of which no task waits already: it has not looked yet, and will see what is new."""
    if not pairs:
        return []
    waiting = select(tasks.c.source, func.unnest(tasks.c.tags)).where(
        tasks.c.policy_id == policy_id,
        tasks.c.state == TaskState.PENDING,
        tasks.c.attempts == 0,
        tasks.c.source.in_({source for source, _ in pairs}),
    )
    known = {(row[0], row[1]) for row in session.execute(waiting)}
    return [pair for pair in pairs if pair not in known]


def _tasks(
    policy: Policy, pairs: list[_Change], causes: Mapping[_Change, str], now: datetime
) -> tuple[list[dict[str, Any]], str]:
    """The tasks, and the sentence where a repository has no place at the target."""
    rows: list[dict[str, Any]] = []
    message = ""
    for source, reference in pairs:
        try:
            target = target_of(source, policy.namespace, policy.replace_count)
        except UnfitPolicy as error:
            message = error.sentence
            continue
        row = task_row(policy, source, target, (reference,), now=now)
        rows.append(row | {"traceparent": causes[source, reference]})
    return rows, message


def task_row(
    policy: Policy,
    source: str,
    target: str,
    references: tuple[str, ...],
    *,
    now: datetime,
    kind: ResourceKind = ResourceKind.IMAGE,
    operation: Operation = Operation.COPY,
    digest: str | None = None,
) -> dict[str, Any]:
    """The row of a task that waits for its turn, without its execution."""
    return {
        "policy_id": policy.id,
        "registry_id": policy.registry_id,
        "operation": operation,
        "kind": kind,
        "source": source,
        "target": target,
        "digest": digest,
        "tags": list(references),
        "state": TaskState.PENDING,
        "due_at": now,
        "created_at": now,
    }
