"""Reading tasks and what they have written down."""

from typing import Final

from sqlalchemy import case, exists, select
from sqlalchemy.orm import Session

from services.replication.domain.task import Task, TaskState
from services.replication.errors import NoSuchTask
from services.replication.queries.rows import read_task
from services.replication.tables import task_lines, tasks
from shared.events.envelope import rfc3339
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

MOST_LINES: Final = 10_000
"""Of a task's log, that are shown: the last ones."""

# the words of Harbor's API
_STATUS: Final = case(
    (tasks.c.state == TaskState.SUCCEEDED, "Succeed"),
    (tasks.c.state == TaskState.FAILED, "Failed"),
    (tasks.c.state == TaskState.STOPPED, "Stopped"),
    (tasks.c.state == TaskState.RUNNING, "InProgress"),
    else_="Pending",
)
FIELDS: Final[Fields] = {
    "id": Field(tasks.c.id, Kind.INTEGER),
    "status": Field(_STATUS),
    "operation": Field(tasks.c.operation),
    "resource_type": Field(tasks.c.kind),
    "src_resource": Field(tasks.c.source),
    "dst_resource": Field(tasks.c.target),
    "fault": Field(tasks.c.fault),
    "attempts": Field(tasks.c.attempts, Kind.INTEGER),
    "start_time": Field(tasks.c.started_at, Kind.TIME),
    "end_time": Field(tasks.c.ended_at, Kind.TIME),
}


def list_tasks(
    session: Session, execution_id: int, listing: Listing, *, status: str = "", kind: str = ""
) -> Page[Task]:
    """The tasks of an execution, in the order in which they were listed unless asked otherwise."""
    statement = (
        select(tasks)
        .where(tasks.c.execution_id == execution_id, *conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (tasks.c.id.asc(),)))
    )
    if status:
        statement = statement.where(_STATUS.in_([status]))
    if kind:
        statement = statement.where(tasks.c.kind == kind)
    return fetch(session, statement, listing, read_task)


def task_log(session: Session, execution_id: int, task_id: int) -> str:
    """What a task of this very execution has written down, a line each. Raises NoSuchTask."""
    if not session.scalar(select(exists().where(tasks.c.id == task_id, tasks.c.execution_id == execution_id))):
        raise NoSuchTask
    last = (
        select(task_lines.c.at, task_lines.c.text)
        .where(task_lines.c.task_id == task_id)
        .order_by(task_lines.c.id.desc())
        .limit(MOST_LINES)
    )
    lines = session.execute(last).all()
    return "".join(f"{rfc3339(row.at)} {row.text}\n" for row in reversed(lines))
