"""Reading retention policies, their executions, tasks and what was decided of each artifact."""

from typing import Any, Final

from sqlalchemy import Row, Select, case, select
from sqlalchemy.orm import Session

from services.api.domain.retention import Candidate, Execution, Mark, Policy, Status, Task, Trigger, Verdict, rule_of
from services.api.domain.schedule import ScheduleKind
from services.api.errors import NoSuchRetention
from services.api.tables import (
    projects,
    retention_executions,
    retention_policies,
    retention_tasks,
    retention_verdicts,
    schedules,
)
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

EXECUTION_FIELDS: Final[Fields] = {
    "id": Field(retention_executions.c.id, Kind.INTEGER),
    "status": Field(retention_executions.c.status),
    "trigger": Field(retention_executions.c.trigger),
    "dry_run": Field(retention_executions.c.dry_run, Kind.BOOLEAN),
    "start_time": Field(retention_executions.c.started_at, Kind.TIME),
    "end_time": Field(retention_executions.c.finished_at, Kind.TIME),
}
TASK_FIELDS: Final[Fields] = {
    "id": Field(retention_tasks.c.id, Kind.INTEGER),
    "repository": Field(retention_tasks.c.repository),
    "status": Field(retention_tasks.c.status),
    "total": Field(retention_tasks.c.total, Kind.INTEGER),
    "retained": Field(retention_tasks.c.retained, Kind.INTEGER),
    "start_time": Field(retention_tasks.c.started_at, Kind.TIME),
    "end_time": Field(retention_tasks.c.finished_at, Kind.TIME),
}


def find_policy(session: Session, policy_id: int) -> Policy | None:
    """A policy of a project that exists."""
    row = session.execute(_policies().where(retention_policies.c.id == policy_id)).one_or_none()
    return _policy(row) if row else None


def list_executions(session: Session, policy_id: int, listing: Listing) -> Page[Execution]:
    """A policy's executions, the newest first."""
    statement = (
        select(retention_executions)
        .where(retention_executions.c.policy_id == policy_id, *conditions(listing.terms, EXECUTION_FIELDS))
        .order_by(*ordering(listing.order, EXECUTION_FIELDS, (retention_executions.c.id.desc(),)))
    )
    return fetch(session, statement, listing, _execution)


def get_execution(session: Session, policy_id: int, execution_id: int) -> Execution:
    """An execution of this very policy. Raises NoSuchRetention."""
    wanted = select(retention_executions).where(
        retention_executions.c.id == execution_id, retention_executions.c.policy_id == policy_id
    )
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NoSuchRetention
    return _execution(row)


def list_tasks(session: Session, execution_id: int, listing: Listing) -> Page[Task]:
    """An execution's tasks, in the order of their repositories' names."""
    statement = (
        select(retention_tasks)
        .where(retention_tasks.c.execution_id == execution_id, *conditions(listing.terms, TASK_FIELDS))
        .order_by(*ordering(listing.order, TASK_FIELDS, (retention_tasks.c.id.asc(),)))
    )
    return fetch(session, statement, listing, read_task)


def get_task(session: Session, execution_id: int, task_id: int) -> Task:
    """A task of this very execution. Raises NoSuchRetention."""
    wanted = select(retention_tasks).where(
        retention_tasks.c.id == task_id, retention_tasks.c.execution_id == execution_id
    )
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NoSuchRetention
    return read_task(row)


def verdicts_of(session: Session, task_id: int) -> list[Verdict]:
    """What a task has decided, what goes first."""
    rank = case({"RETAIN": 1}, value=retention_verdicts.c.mark, else_=0)
    rows = session.execute(
        select(retention_verdicts)
        .where(retention_verdicts.c.task_id == task_id)
        .order_by(rank, retention_verdicts.c.position)
    )
    return [read_verdict(row) for row in rows]


def read_verdict(row: Row[Any]) -> Verdict:
    """A row of the table as a record."""
    candidate = Candidate(
        digest=row.digest, tags=tuple(row.tags), type=row.type, pushed_at=row.pushed_at, pulled_at=row.pulled_at
    )
    return Verdict(candidate=candidate, mark=Mark(row.mark), reason=row.reason, settled=row.settled)


def read_task(row: Row[Any]) -> Task:
    """A row of the table as a record."""
    return Task(
        id=row.id,
        execution_id=row.execution_id,
        repository=row.repository,
        status=Status(row.status),
        attempts=row.attempts,
        error=row.error,
        total=row.total,
        retained=row.retained,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _policies() -> Select[Any]:
    return (
        select(
            retention_policies,
            projects.c.name.label("project"),
            schedules.c.id.label("schedule_id"),
            schedules.c.cron,
            schedules.c.next_at,
        )
        .join(projects, projects.c.id == retention_policies.c.project_id)
        .outerjoin(
            schedules,
            (schedules.c.owner_id == retention_policies.c.id) & (schedules.c.kind == ScheduleKind.RETENTION.value),
        )
        .where(projects.c.deleted_at.is_(None))
    )


def _policy(row: Row[Any]) -> Policy:
    return Policy(
        id=row.id,
        project_id=row.project_id,
        project=row.project,
        rules=tuple(rule_of(stored) for stored in row.rules),
        schedule_id=row.schedule_id,
        cron=row.cron or "",
        next_at=row.next_at,
    )


def _execution(row: Row[Any]) -> Execution:
    return Execution(
        id=row.id,
        policy_id=row.policy_id,
        trigger=Trigger(row.trigger),
        dry_run=row.dry_run,
        status=Status(row.status),
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
