"""Reading executions, and how far they are."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from services.replication.domain.execution import Execution, ExecutionState
from services.replication.domain.task import Progress
from services.replication.errors import NoSuchExecution
from services.replication.queries.rows import read_execution
from services.replication.tables import executions, tasks
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

# the words of Harbor's API
_STATUS: Final = case(
    (executions.c.state == ExecutionState.SUCCEEDED, "Succeed"),
    (executions.c.state == ExecutionState.FAILED, "Failed"),
    (executions.c.state == ExecutionState.STOPPED, "Stopped"),
    else_="InProgress",
)
FIELDS: Final[Fields] = {
    "id": Field(executions.c.id, Kind.INTEGER),
    "policy_id": Field(executions.c.policy_id, Kind.INTEGER),
    "status": Field(_STATUS),
    "trigger": Field(executions.c.trigger),
    "dry_run": Field(executions.c.dry_run, Kind.BOOLEAN),
    "operator": Field(executions.c.operator),
    "total": Field(executions.c.total, Kind.INTEGER),
    "failed": Field(executions.c.failed, Kind.INTEGER),
    "start_time": Field(executions.c.created_at, Kind.TIME),
    "end_time": Field(executions.c.ended_at, Kind.TIME),
}
_SUMS: Final = tuple(
    func.coalesce(func.sum(tasks.c[name]), 0).label(name)
    for name in ("blobs_total", "blobs_done", "bytes_total", "bytes_done", "bytes_sent")
)


def get_execution(session: Session, execution_id: int) -> Execution:
    """An execution. Raises NoSuchExecution."""
    row = session.execute(select(executions).where(executions.c.id == execution_id)).one_or_none()
    if row is None:
        raise NoSuchExecution
    return read_execution(row)


def list_executions(
    session: Session, listing: Listing, *, policy_id: int | None = None, status: str = "", trigger: str = ""
) -> Page[Execution]:
    """The executions of a policy, or of all; the newest first unless asked otherwise."""
    statement: Select[Any] = (
        select(executions)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (executions.c.id.desc(),)))
    )
    if policy_id is not None:
        statement = statement.where(executions.c.policy_id == policy_id)
    if status:
        statement = statement.where(_STATUS.in_([status]))
    if trigger:
        statement = statement.where(executions.c.trigger == trigger)
    return fetch(session, statement, listing, read_execution)


def progress_of(session: Session, execution_ids: Iterable[int]) -> dict[int, Progress]:
    """How far each execution is: the sums over its tasks."""
    wanted = list(execution_ids)
    statement = (
        select(tasks.c.execution_id, *_SUMS).where(tasks.c.execution_id.in_(wanted)).group_by(tasks.c.execution_id)
    )
    found = dict.fromkeys(wanted, Progress())
    for row in session.execute(statement):
        found[row.execution_id] = Progress(
            blobs_total=int(row.blobs_total),
            blobs_done=int(row.blobs_done),
            bytes_total=int(row.bytes_total),
            bytes_done=int(row.bytes_done),
            bytes_sent=int(row.bytes_sent),
        )
    return found


def last_executions(session: Session, policy_ids: Iterable[int]) -> dict[int, Execution]:
    """The newest execution of each policy that ever had one."""
    newest = (
        select(func.max(executions.c.id))
        .where(executions.c.policy_id.in_(list(policy_ids)))
        .group_by(executions.c.policy_id)
    )
    rows = session.execute(select(executions).where(executions.c.id.in_(newest)))
    return {row.policy_id: read_execution(row) for row in rows}
