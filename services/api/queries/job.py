"""Tag retention, audit purges and garbage collections as jobs: what is in hand, what waits, and a job's log."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from services.api.domain.retention import LEASE, Status, log_text
from services.api.errors import NoSuchRetention
from services.api.queries.audit_purge import get_purge
from services.api.queries.collection import get_collection
from services.api.queries.retention import read_task, verdicts_of
from services.api.tables import audit_purges, collections, retention_executions, retention_tasks
from shared.jobs import Job, JobId, JobType, Queue

TYPES: Final = (JobType.RETENTION, JobType.PURGE_AUDIT_LOG, JobType.GARBAGE_COLLECTION)


def jobs_in_hand(session: Session, pool_ids: Collection[UUID], *, now: datetime) -> list[Job]:
    """The retention tasks, purges and garbage collections that these pools carry out."""
    tasks = session.execute(
        select(
            retention_tasks.c.id,
            retention_tasks.c.holder,
            retention_tasks.c.repository,
            retention_tasks.c.started_at,
            retention_tasks.c.lease_until,
        )
        .where(_open(now, held=True), retention_tasks.c.holder.in_(pool_ids))
        .order_by(retention_tasks.c.id)
    )
    purges = session.execute(
        select(audit_purges.c.id, audit_purges.c.pool_id, audit_purges.c.updated_at)
        .where(
            audit_purges.c.finished_at.is_(None),
            audit_purges.c.status == Status.RUNNING,
            audit_purges.c.pool_id.in_(pool_ids),
        )
        .order_by(audit_purges.c.id)
    )
    collecting = session.execute(
        select(collections.c.id, collections.c.pool_id, collections.c.progress, collections.c.updated_at)
        .where(collections.c.status == Status.RUNNING, collections.c.pool_id.in_(pool_ids))
        .order_by(collections.c.id)
    )
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
    tasks = select(func.count(), func.min(retention_tasks.c.created_at)).where(_open(now, held=False))
    purges = select(func.count(), func.min(audit_purges.c.created_at)).where(
        audit_purges.c.finished_at.is_(None), audit_purges.c.status == Status.PENDING
    )
    waiting = select(func.count(), func.min(collections.c.created_at)).where(collections.c.status == Status.PENDING)
    found = [session.execute(statement).one() for statement in (tasks, purges, waiting)]
    return [
        Queue(type=type_, count=count, oldest_at=oldest_at)
        for type_, (count, oldest_at) in zip(TYPES, found, strict=True)
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


def _open(now: datetime, *, held: bool) -> ColumnElement[bool]:
    is_held = func.coalesce(
        and_(retention_tasks.c.holder.is_not(None), retention_tasks.c.lease_until > now), False
    )
    return and_(retention_tasks.c.finished_at.is_(None), is_held if held else ~is_held)
