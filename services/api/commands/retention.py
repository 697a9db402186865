"""A project's retention policy: made, changed and deleted; and its executions: begun, stopped and closed.

Locks are taken in this order, so that nobody waits in a circle: project, schedule, policy, execution, task.
"""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Text, cast, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.schedule import drop_schedule, set_schedule, take_due
from services.api.domain.project import RETENTION_ENTRY
from services.api.domain.retention import (
    Candidate,
    Mark,
    Policy,
    PolicyDraft,
    Status,
    Trigger,
    names_of,
    rule_json,
    rule_of,
)
from services.api.domain.schedule import ScheduleKind
from services.api.errors import NoSuchProject, NoSuchRetention, RetentionExists, RetentionRunning
from services.api.queries.retention import find_policy
from services.api.tables import (
    projects,
    repositories,
    retention_executions,
    retention_policies,
    retention_tasks,
    retention_verdicts,
    schedules,
)
from shared.auth.principals import SYSTEM_PREFIX
from shared.cron import Cron
from shared.events import Actor, ActorKind, EventContext, emit
from shared.events.definitions.project import ProjectUpdated
from shared.events.definitions.retention import RetentionFinished
from shared.names import RepositoryName

KEPT_EXECUTIONS: Final = 50
"""How many executions of a policy are remembered."""
MOST_TOLD: Final = 1_000
"""How many names of deleted artifacts an event carries."""
_CHANGED: Final = "retention_policy"
_FINAL: Final = (Status.SUCCESS, Status.ERROR, Status.STOPPED)


def create_policy(
    session: Session, draft: PolicyDraft, *, project_id: int, now: datetime, context: EventContext
) -> int:
    """Make a project's policy; returns its number. Raises BadRequest, NoSuchProject, RetentionExists."""
    rules, cron = _parsed(draft)
    _lock_project(session, project_id)
    policy_id: int | None = session.scalar(
        upsert(retention_policies)
        .values(project_id=project_id, rules=rules, created_at=now, updated_at=now)
        .on_conflict_do_nothing()
        .returning(retention_policies.c.id)
    )
    if policy_id is None:
        raise RetentionExists
    if cron:
        set_schedule(session, ScheduleKind.RETENTION, policy_id, cron, now=now)
    entry = func.jsonb_build_object(RETENTION_ENTRY, str(policy_id))
    _tell(session, project_id, projects.c.metadata.op("||")(entry), now=now, context=context)
    return policy_id


def update_policy(
    session: Session, policy: Policy, draft: PolicyDraft, *, now: datetime, context: EventContext
) -> None:
    """Put other rules and another schedule in their place; what is under way goes on by the rules it began with.

    Raises BadRequest, NoSuchRetention where somebody just deleted it.
    """
    rules, cron = _parsed(draft)
    _lock_project(session, policy.project_id)
    if cron:
        set_schedule(session, ScheduleKind.RETENTION, policy.id, cron, now=now)
    else:
        drop_schedule(session, ScheduleKind.RETENTION, policy.id)
    changed = (
        update(retention_policies)
        .where(retention_policies.c.id == policy.id)
        .values(rules=rules, updated_at=now)
        .returning(retention_policies.c.id)
    )
    if session.scalar(changed) is None:
        raise NoSuchRetention
    _tell(session, policy.project_id, projects.c.metadata, now=now, context=context)


def delete_policy(session: Session, policy: Policy, *, now: datetime, context: EventContext) -> None:
    """Delete a policy with its executions; what is under way stops before the next artifact. Raises NoSuchRetention."""
    _lock_project(session, policy.project_id)
    drop_schedule(session, ScheduleKind.RETENTION, policy.id)
    gone = delete(retention_policies).where(retention_policies.c.id == policy.id).returning(retention_policies.c.id)
    if session.scalar(gone) is None:
        raise NoSuchRetention
    left = projects.c.metadata.op("-")(cast(RETENTION_ENTRY, Text))
    _tell(session, policy.project_id, left, now=now, context=context)


def forget_policy(session: Session, project_id: int) -> None:
    """Delete the policy of a project that is being deleted, whose row the caller has locked."""
    of_project = select(retention_policies.c.id).where(retention_policies.c.project_id == project_id)
    session.execute(
        delete(schedules).where(
            schedules.c.kind == ScheduleKind.RETENTION, schedules.c.owner_id.in_(of_project.scalar_subquery())
        )
    )
    session.execute(delete(retention_policies).where(retention_policies.c.project_id == project_id))


def start_execution(
    session: Session, policy: Policy, *, trigger: Trigger, dry_run: bool, now: datetime, context: EventContext
) -> int:
    """Begin to carry out a policy, with a task for each repository that a rule is about; returns its number.

    Raises NoSuchRetention, and RetentionRunning where another one, as dry or not, has not ended.
    """
    held = select(retention_policies.c.rules).where(retention_policies.c.id == policy.id)
    stored = session.scalar(held.with_for_update(read=True, key_share=True))
    if stored is None:
        raise NoSuchRetention
    execution_id: int | None = session.scalar(
        upsert(retention_executions)
        .values(
            policy_id=policy.id,
            trigger=trigger,
            dry_run=dry_run,
            rules=stored,
            actor=context.actor.name,
            actor_kind=context.actor.kind,
            request_id=context.request_id or "",
            started_at=now,
        )
        .on_conflict_do_nothing()
        .returning(retention_executions.c.id)
    )
    if execution_id is None:
        raise RetentionRunning
    rules = [rule_of(each) for each in stored]
    names = session.scalars(
        select(repositories.c.name).where(repositories.c.project_id == policy.project_id).order_by(repositories.c.name)
    )
    meant = [
        {"execution_id": execution_id, "repository": name, "created_at": now}
        for name in names
        if any(rule.is_about(RepositoryName(name).rest) for rule in rules)
    ]
    if meant:
        session.execute(insert(retention_tasks), meant)
    else:
        close_if_done(session, execution_id, instance_id=context.instance_id, now=now)
    return execution_id


def start_due(session: Session, *, instance_id: UUID, now: datetime) -> bool:
    """Begin what a schedule says, one policy; whether one was due. One that is still under way is not begun again."""
    due = take_due(session, ScheduleKind.RETENTION, now=now)
    if due is None:
        return False
    policy = find_policy(session, due.owner_id)
    if policy is not None:
        actor = Actor(kind=ActorKind.SYSTEM, name=f"{SYSTEM_PREFIX}metadata")
        context = EventContext(instance_id=instance_id, actor=actor)
        try:
            start_execution(session, policy, trigger=Trigger.SCHEDULE, dry_run=False, now=now, context=context)
        except (RetentionRunning, NoSuchRetention):
            return True
    return True


def stop_execution(session: Session, execution_id: int, *, instance_id: UUID, now: datetime) -> None:
    """Stop an execution: no task begins any more, and one that runs ends before its next artifact. Ended ones stay."""
    if lock_execution(session, execution_id) is None:
        return
    session.execute(
        update(retention_executions).where(retention_executions.c.id == execution_id).values(stopping=True)
    )
    session.execute(
        update(retention_tasks)
        .where(retention_tasks.c.execution_id == execution_id, retention_tasks.c.status == Status.PENDING)
        .values(status=Status.STOPPED, finished_at=now)
    )
    close_if_done(session, execution_id, instance_id=instance_id, now=now)


def lock_execution(session: Session, execution_id: int) -> Row[Any] | None:
    """An execution that has not ended, held until the transaction ends."""
    return session.execute(
        select(retention_executions)
        .where(retention_executions.c.id == execution_id, retention_executions.c.finished_at.is_(None))
        .with_for_update()
    ).one_or_none()


def close_if_done(session: Session, execution_id: int, *, instance_id: UUID, now: datetime) -> None:
    """End an execution whose tasks have all ended, and tell of it. The caller holds its row, or has just made it."""
    tasks = retention_tasks.c
    counted = session.execute(
        select(
            func.count().filter(tasks.status.not_in(_FINAL)).label("open"),
            func.count().filter(tasks.status == Status.ERROR).label("failed"),
            func.count().filter(tasks.status == Status.STOPPED).label("stopped"),
            func.coalesce(func.sum(tasks.total), 0).label("total"),
        ).where(tasks.execution_id == execution_id)
    ).one()
    if counted.open:
        return
    status = Status.ERROR if counted.failed else Status.STOPPED if counted.stopped else Status.SUCCESS
    row = session.execute(
        update(retention_executions)
        .where(retention_executions.c.id == execution_id, retention_executions.c.finished_at.is_(None))
        .values(status=status, finished_at=now)
        .returning(retention_executions)
    ).one_or_none()
    if row is not None:
        _tell_end(session, row, total=int(counted.total), instance_id=instance_id)
        session.execute(_FORGET, {"policy": row.policy_id, "kept": KEPT_EXECUTIONS})


def context_of(row: Row[Any], instance_id: UUID) -> EventContext:
    """What surrounds the events of an execution: whoever began it."""
    return EventContext(
        instance_id=instance_id,
        actor=Actor(kind=ActorKind(row.actor_kind), name=row.actor),
        request_id=row.request_id or None,
    )


_FORGET: Final = text(
    """
    DELETE FROM core.retention_executions WHERE policy_id = :policy AND finished_at IS NOT NULL AND id <= (
        SELECT id FROM core.retention_executions WHERE policy_id = :policy ORDER BY id DESC OFFSET :kept LIMIT 1
    )
    """
)


def _parsed(draft: PolicyDraft) -> tuple[list[dict[str, Any]], Cron | None]:
    rules = [rule_json(rule) for rule in draft.checked().rules]
    return rules, Cron.parse_schedule(draft.cron) if draft.cron else None


def _lock_project(session: Session, project_id: int) -> None:
    held = select(projects.c.id).where(projects.c.id == project_id, projects.c.deleted_at.is_(None))
    if session.scalar(held.with_for_update(key_share=True)) is None:
        raise NoSuchProject


def _tell(session: Session, project_id: int, metadata: object, *, now: datetime, context: EventContext) -> None:
    project = session.execute(
        update(projects)
        .where(projects.c.id == project_id)
        .values(metadata=metadata, updated_at=now)
        .returning(projects.c.name, projects.c.public)
    ).one()
    event = ProjectUpdated(
        project=project.name, project_id=project_id, changed=(_CHANGED,), public=project.public
    )
    emit(session, event, context=context)


def _tell_end(session: Session, row: Row[Any], *, total: int, instance_id: UUID) -> None:
    policy = find_policy(session, row.policy_id)
    if policy is None:
        return
    verdicts = retention_verdicts.c
    went = (
        select(retention_tasks.c.repository, retention_verdicts)
        .join(retention_tasks, retention_tasks.c.id == verdicts.task_id)
        .where(retention_tasks.c.execution_id == row.id, verdicts.mark == Mark.DELETE, verdicts.settled)
    )
    deleted = session.scalar(select(func.count()).select_from(went.subquery("went"))) or 0
    names: list[str] = []
    for each in session.execute(went.order_by(verdicts.task_id, verdicts.position).limit(MOST_TOLD)):
        candidate = Candidate(
            digest=each.digest,
            tags=tuple(each.tags),
            type=each.type,
            pushed_at=each.pushed_at,
            pulled_at=each.pulled_at,
        )
        names += names_of(each.repository, candidate)
    event = RetentionFinished(
        project=policy.project,
        project_id=policy.project_id,
        policy_id=policy.id,
        execution_id=row.id,
        trigger=row.trigger,
        dry_run=row.dry_run,
        status=row.status,
        rules=tuple(json.dumps(rule, separators=(",", ":")) for rule in row.rules),
        total=total,
        retained=total - deleted,
        deleted=deleted,
        deleted_artifacts=tuple(names[:MOST_TOLD]),
    )
    emit(session, event, context=context_of(row, instance_id))
