"""Reading deliveries and their attempts, as Harbor's API calls them: executions, tasks and their logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, case, func, select
from sqlalchemy.orm import Session

from services.webhook.domain.delivery import State, Trigger
from services.webhook.domain.policy import TargetKind
from services.webhook.errors import NoSuchDelivery
from services.webhook.tables import attempts, deliveries, targets
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

# Harbor's words: what has failed and will be tried again is running
_STATUS: Final = case(
    (deliveries.c.state == State.SUCCESS, "Success"),
    (deliveries.c.state == State.ERROR, "Error"),
    (deliveries.c.attempts > 0, "Running"),
    else_="Pending",
)
_ATTEMPT_STATUS: Final = case((attempts.c.succeeded, "Success"), else_="Error")

DELIVERY_FIELDS: Final[Fields] = {
    "id": Field(deliveries.c.id, Kind.INTEGER),
    "status": Field(_STATUS),
    "event_type": Field(deliveries.c.event_type),
    "payload": Field(deliveries.c.body, sortable=False),
    "notify_type": Field(targets.c.kind),
    "trigger": Field(deliveries.c.trigger),
    "start_time": Field(deliveries.c.created_at, Kind.TIME),
    "creation_time": Field(deliveries.c.created_at, Kind.TIME),
    "update_time": Field(deliveries.c.updated_at, Kind.TIME),
    "end_time": Field(deliveries.c.finished_at, Kind.TIME),
}
ATTEMPT_FIELDS: Final[Fields] = {
    "id": Field(attempts.c.id, Kind.INTEGER),
    "status": Field(_ATTEMPT_STATUS),
    "run_count": Field(attempts.c.number, Kind.INTEGER),
    "start_time": Field(attempts.c.started_at, Kind.TIME),
    "creation_time": Field(attempts.c.started_at, Kind.TIME),
    "end_time": Field(attempts.c.finished_at, Kind.TIME),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A delivery as it is shown; the status is one of Harbor's words."""

    id: int
    policy_id: int
    kind: TargetKind
    event_type: str
    trigger: Trigger
    status: str
    message: str
    body: str
    succeeded_attempts: int
    failed_attempts: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """An attempt as it is shown; the texts have no secret in them."""

    id: int
    delivery_id: int
    number: int
    status: str
    message: str
    started_at: datetime
    finished_at: datetime


def list_deliveries(
    session: Session, policy_id: int, listing: Listing, *, statuses: Sequence[str] = ()
) -> Page[Delivery]:
    """The deliveries of a policy, the newest first unless asked otherwise."""
    statement = _deliveries().where(
        deliveries.c.policy_id == policy_id, *conditions(listing.terms, DELIVERY_FIELDS)
    )
    if statuses:
        statement = statement.where(_STATUS.in_(statuses))
    ordered = statement.order_by(*ordering(listing.order, DELIVERY_FIELDS, (deliveries.c.id.desc(),)))
    return fetch(session, ordered, listing, _read)


def get_delivery(session: Session, policy_id: int, delivery_id: int) -> Delivery:
    """A delivery of this very policy. Raises NoSuchDelivery."""
    found = _deliveries().where(deliveries.c.id == delivery_id, deliveries.c.policy_id == policy_id)
    row = session.execute(found).one_or_none()
    if row is None:
        raise NoSuchDelivery
    return _read(row)


def list_attempts(session: Session, delivery_id: int, listing: Listing) -> Page[Attempt]:
    """The attempts of a delivery, the last first unless asked otherwise."""
    statement = (
        select(attempts, _ATTEMPT_STATUS.label("status"))
        .where(attempts.c.delivery_id == delivery_id, *conditions(listing.terms, ATTEMPT_FIELDS))
        .order_by(*ordering(listing.order, ATTEMPT_FIELDS, (attempts.c.id.desc(),)))
    )
    return fetch(session, statement, listing, _read_attempt)


def attempt_log(session: Session, delivery_id: int, attempt_id: int) -> str:
    """What was sent and what came back. Raises NoSuchDelivery where the delivery has no such attempt."""
    row = session.execute(
        select(attempts, deliveries.c.body.label("latest"))
        .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
        .where(attempts.c.id == attempt_id, attempts.c.delivery_id == delivery_id)
    ).one_or_none()
    if row is None:
        raise NoSuchDelivery
    return attempt_text(row, row.latest)


def attempt_text(row: Row[Any], body: str) -> str:
    """A row of the attempts, told; the delivery's body is what was sent, unless the row has another."""
    seconds = (row.finished_at - row.started_at).total_seconds()
    return (
        f"attempt {row.number} at {row.started_at.isoformat()}, {seconds:.3f} s: {row.message}\n\n"
        f"{row.request}\n\n{body if row.body is None else row.body}\n\n{row.response}\n"
    )


def _deliveries() -> Select[Any]:
    def counted(*, succeeded: bool) -> Any:  # noqa: ANN401 - a scalar subquery, whatever SQLAlchemy calls it
        mine = (attempts.c.delivery_id == deliveries.c.id, attempts.c.succeeded.is_(succeeded))
        return select(func.count()).select_from(attempts).where(*mine).correlate(deliveries).scalar_subquery()

    return select(
        deliveries,
        targets.c.kind,
        _STATUS.label("status"),
        counted(succeeded=True).label("succeeded_attempts"),
        counted(succeeded=False).label("failed_attempts"),
    ).join(targets, targets.c.id == deliveries.c.target_id)


def _read(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        policy_id=row.policy_id,
        kind=TargetKind(row.kind),
        event_type=row.event_type,
        trigger=Trigger(row.trigger),
        status=row.status,
        message=row.message,
        body=row.body,
        succeeded_attempts=row.succeeded_attempts,
        failed_attempts=row.failed_attempts,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )


def _read_attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        id=row.id,
        delivery_id=row.delivery_id,
        number=row.number,
        status=row.status,
        message=row.message,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
