"""Reading webhook policies; their secrets stay sealed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, lateral, select, true
from sqlalchemy.orm import Session

from services.webhook.domain.policy import EventType, PayloadFormat, Policy, Target, TargetKind
from services.webhook.errors import NoSuchPolicy
from services.webhook.tables import deliveries, policies, targets
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(policies.c.id, Kind.INTEGER),
    "name": Field(policies.c.name),
    "description": Field(policies.c.description),
    "enabled": Field(policies.c.enabled, Kind.BOOLEAN),
    "creator": Field(policies.c.creator),
    "creation_time": Field(policies.c.created_at, Kind.TIME),
    "update_time": Field(policies.c.updated_at, Kind.TIME),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LastTrigger:
    """When a policy was last triggered by a type of event; None if never, as far as the record reaches back."""

    policy_name: str
    event_type: str
    enabled: bool
    created_at: datetime
    triggered_at: datetime | None


def get_policy(session: Session, project_id: int, policy_id: int, *, lock: bool = False) -> Policy:
    """A policy of this very project; locked, nobody else changes it for now. Raises NoSuchPolicy."""
    statement = select(policies).where(policies.c.id == policy_id, policies.c.project_id == project_id)
    row = session.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NoSuchPolicy
    return _read(row, targets_of(session, [policy_id])[policy_id])


def list_policies(session: Session, project_id: int, listing: Listing) -> Page[Policy]:
    """The policies of a project, the newest first unless asked otherwise."""
    statement = (
        select(policies)
        .where(policies.c.project_id == project_id, *conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (policies.c.created_at.desc(), policies.c.id.desc())))
    )
    page = fetch(session, statement, listing, lambda row: row)
    found = targets_of(session, [row.id for row in page.records])
    return Page(records=[_read(row, found[row.id]) for row in page.records], total=page.total)


def targets_of(session: Session, policy_ids: Sequence[int]) -> dict[int, tuple[Target, ...]]:
    """The targets of each policy, in their order."""
    statement = (
        select(targets)
        .where(targets.c.policy_id.in_(policy_ids))
        .order_by(targets.c.policy_id, targets.c.position)
    )
    found: dict[int, tuple[Target, ...]] = dict.fromkeys(policy_ids, ())
    for row in session.execute(statement):
        found[row.policy_id] += (_target(row),)
    return found


def last_triggers(session: Session, project_id: int) -> list[LastTrigger]:
    """For each policy of a project and each of its event types, when there was last one."""
    asked = select(policies, func.unnest(policies.c.event_types).label("event_type")).where(
        policies.c.project_id == project_id
    )
    each = asked.subquery()
    newest: Select[Any] = (
        select(deliveries.c.created_at)
        .where(deliveries.c.policy_id == each.c.id, deliveries.c.event_type == each.c.event_type)
        .order_by(deliveries.c.id.desc())
        .limit(1)
    )
    last = lateral(newest).alias("last")
    statement = (
        select(each.c.name, each.c.event_type, each.c.enabled, each.c.created_at, last.c.created_at.label("triggered"))
        .outerjoin(last, true())
        .order_by(each.c.id, each.c.event_type)
    )
    return [
        LastTrigger(
            policy_name=row.name,
            event_type=row.event_type,
            enabled=row.enabled,
            created_at=row.created_at,
            triggered_at=row.triggered,
        )
        for row in session.execute(statement)
    ]


def _read(row: Row[Any], found: Iterable[Target]) -> Policy:
    return Policy(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        targets=tuple(found),
        event_types=tuple(EventType(name) for name in row.event_types),
        enabled=row.enabled,
        creator=row.creator,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _target(row: Row[Any]) -> Target:
    return Target(
        id=row.id,
        kind=TargetKind(row.kind),
        address=row.address,
        payload_format=PayloadFormat(row.payload_format),
        skip_cert_verify=row.skip_cert_verify,
        auth_header=row.auth_header,
        signing_secret=row.signing_secret,
    )
