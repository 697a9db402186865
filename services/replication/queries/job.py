"""Tasks as jobs: what is in hand, what waits, and a task's log."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.replication.domain.task import TaskState
from services.replication.errors import NoSuchTask
from services.replication.queries.task import task_log
from services.replication.tables import tasks
from shared.jobs import Job, JobId, JobType, Queue


def jobs_in_hand(session: Session, pool_ids: Collection[UUID]) -> list[Job]:
    """The tasks that these pools are carrying out."""
    rows = session.execute(
        select(tasks)
        .where(tasks.c.state == TaskState.RUNNING, tasks.c.worker.in_(pool_ids))
        .order_by(tasks.c.started_at, tasks.c.id)
    )
    return [
        Job(
            id=JobId(type=JobType.REPLICATION, number=row.id),
            pool_id=row.worker,
            started_at=row.started_at,
            told=f"attempt {row.attempts}, {row.bytes_done} of {row.bytes_total} bytes",
            told_at=row.started_at,
        )
        for row in rows
    ]


def queues(session: Session, *, now: datetime) -> list[Queue]:
    """How many tasks are due and in nobody's hands; those that wait for another attempt become due later."""
    row = session.execute(
        select(func.count().label("number"), func.min(tasks.c.due_at).label("oldest_at")).where(
            tasks.c.state == TaskState.PENDING, tasks.c.due_at <= now
        )
    ).one()
    return [Queue(type=JobType.REPLICATION, count=row.number, oldest_at=row.oldest_at)]


def job_log(session: Session, job: JobId) -> str:
    """What a task has written down. Raises NoSuchTask."""
    execution_id = session.scalar(select(tasks.c.execution_id).where(tasks.c.id == job.number))
    if execution_id is None:
        raise NoSuchTask
    return task_log(session, execution_id, job.number)
