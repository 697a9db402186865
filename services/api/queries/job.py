"""Tag retention, audit purges and garbage collections as jobs: what is in hand, what waits, and a job's log."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, DateTime, and_, bindparam, func, literal, select, union_all
from sqlalchemy.orm import Session

from services.api.domain.retention import LEASE, Status, log_text
from services.api.errors import NoSuchRetention
from services.api.queries.audit_purge import get_purge
from services.api.queries.collection import get_collection
from services.api.queries.retention import read_task, verdicts_of
from services.api.tables import audit_purges, collections, retention_executions, retention_tasks
from shared.jobs import Job, JobId, JobType, Queue

_NOW: Final = bindparam("now", type_=DateTime(timezone=True))
_POOLS: Final[BindParameter[Any]] = bindparam("pools", expanding=True)


def _open(*, held: bool) -> ColumnElement[bool]:
    is_held = func.coalesce(
        and_(retention_tasks.c.holder.is_not(None), retention_tasks.c.lease_until > _NOW), False
    )
    return and_(retention_tasks.c.finished_at.is_(None), is_held if held else ~is_held)


# made once: to make them costs more than to ask them
_TASKS_IN_HAND: Final = (
    select(
        retention_tasks.c.id,
        retention_tasks.c.holder,
        retention_tasks.c.repository,
        retention_tasks.c.started_at,
        retention_tasks.c.lease_until,
    )
    .where(_open(held=True), retention_tasks.c.holder.in_(_POOLS))
    .order_by(retention_tasks.c.id)
)
_PURGES_IN_HAND: Final = (
    select(audit_purges.c.id, audit_purges.c.pool_id, audit_purges.c.updated_at)
    .where(
        audit_purges.c.finished_at.is_(None),
        audit_purges.c.status == Status.RUNNING,
        audit_purges.c.pool_id.in_(_POOLS),
    )
    .order_by(audit_purges.c.id)
)
_COLLECTIONS_IN_HAND: Final = (
    select(collections.c.id, collections.c.pool_id, collections.c.progress, collections.c.updated_at)
    .where(collections.c.status == Status.RUNNING, collections.c.pool_id.in_(_POOLS))
    .order_by(collections.c.id)
)
_WAITING: Final = union_all(
    select(literal(JobType.RETENTION.value), func.count(), func.min(retention_tasks.c.created_at)).where(
        _open(held=False)
    ),
    select(literal(JobType.PURGE_AUDIT_LOG.value), func.count(), func.min(audit_purges.c.created_at)).where(
        audit_purges.c.finished_at.is_(None), audit_purges.c.status == Status.PENDING
    ),
    select(literal(JobType.GARBAGE_COLLECTION.value), func.count(), func.min(collections.c.created_at)).where(
        collections.c.status == Status.PENDING
    ),
)


def jobs_in_hand(session: Session, pool_ids: Collection[UUID], *, now: datetime) -> list[Job]:
    """The retention tasks, purges and garbage collections that these pools carry out."""
    of_pools = {"pools": list(pool_ids)}
    tasks = session.execute(_TASKS_IN_HAND, of_pools | {"now": now})
    purges = session.execute(_PURGES_IN_HAND, of_pools)
    collecting = session.execute(_COLLECTIONS_IN_HAND, of_pools)
    return [
        Job(
            id=JobId(type=JobType.RETENTION, number=row.id),
            pool_id=row.holder,
            started_at=row.started_at,
            told=row.repository,
            told_at=row.lease_until - LEASE,
        )
        for row in tasks
    ] + [
        Job(
            id=JobId(type=JobType.PURGE_AUDIT_LOG, number=row.id),
            pool_id=row.pool_id,
            started_at=row.updated_at,
            told="",
            told_at=None,
        )
        for row in purges
    ] + [
        Job(
            id=JobId(type=JobType.GARBAGE_COLLECTION, number=row.id),
            pool_id=row.pool_id,
            started_at=None,
            told=row.progress,
            told_at=row.updated_at,
        )
        for row in collecting
    ]


def queues(session: Session, *, now: datetime) -> list[Queue]:
    """How many retention tasks nobody carries out, and how many purges and collections nobody has begun."""
    return [
        Queue(type=JobType(type_), count=count, oldest_at=oldest_at)
        for type_, count, oldest_at in session.execute(_WAITING, {"now": now})
    ]


def job_log(session: Session, job: JobId) -> str:
    """What a job has done. Raises NoSuchRetention, NoSuchPurge, NoSuchCollection."""
    if job.type is JobType.PURGE_AUDIT_LOG:
        return get_purge(session, job.number).log
    if job.type is JobType.GARBAGE_COLLECTION:
        return get_collection(session, job.number).log
    row = session.execute(
        select(retention_tasks, retention_executions.c.dry_run)
        .join(retention_executions, retention_executions.c.id == retention_tasks.c.execution_id)
        .where(retention_tasks.c.id == job.number)
    ).one_or_none()
    if row is None:
        raise NoSuchRetention
    return log_text(read_task(row), verdicts_of(session, job.number), dry_run=row.dry_run)
