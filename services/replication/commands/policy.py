"""Replication policies: made, changed and deleted, with their schedules.

Locks are taken in this order, so that nobody waits in a circle: registry, policy, execution, task.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.replication.commands.registry import lock_registry
from services.replication.commands.retention import forget_stopped
from services.replication.commands.waking import wake
from services.replication.domain.execution import ExecutionState
from services.replication.domain.policy import Filter, Policy, Trigger
from services.replication.domain.wanted_policy import (
    WantedPolicy,
    check_concurrency,
    check_description,
    check_filters,
    check_labels,
    check_name,
    check_namespace,
    check_retention,
    check_sides,
    check_source,
    check_speed,
    check_trigger,
)
from services.replication.errors import (
    NoSuchPolicy,
    NoSuchRegistry,
    PolicyExists,
    PolicyHeld,
    PolicyRunning,
    PolicyStopping,
    UnfitPolicy,
)
from services.replication.queries.rows import read_policy
from services.replication.tables import changes, copies, executions, policies
from shared.cron import Cron
from shared.events import EventContext, emit
from shared.events.definitions.replication_policy import (
    ReplicationPolicyCreated,
    ReplicationPolicyDeleted,
    ReplicationPolicyEvent,
    ReplicationPolicyUpdated,
)

OPEN = (ExecutionState.PREPARING, ExecutionState.RUNNING)


def create_policy(
    session: Session, wanted: WantedPolicy, *, creator: str, now: datetime, context: EventContext
) -> Policy:
    """Make a policy. Raises UnfitPolicy, PolicyExists."""
    values = _values(session, wanted)
    row = session.execute(
        upsert(policies)
        .values(**values, next_at=_next(values, now), creator=creator, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=[policies.c.name])
        .returning(policies)
    ).one_or_none()
    if row is None:
        raise PolicyExists(f"a replication policy named {values['name']} exists already")
    policy = read_policy(row)
    emit(session, _event(ReplicationPolicyCreated, policy), context=context)
    wake(session)
    return policy


def update_policy(
    session: Session, policy_id: int, wanted: WantedPolicy, *, now: datetime, context: EventContext
) -> None:
    """Make a policy what is wanted. Where it is about another registry now, it has copied nothing there yet.

    Raises NoSuchPolicy, UnfitPolicy, PolicyExists, and PolicyHeld where an execution runs and the registry changes.
    """
    values = _values(session, wanted)
    row = session.execute(select(policies).where(policies.c.id == policy_id).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchPolicy
    changed = {name: value for name, value in values.items() if value != getattr(row, name)}
    if not changed:
        return
    turned = bool(changed.keys() & {"source_id", "target_id"})
    if turned and has_open_execution(session, policy_id):
        raise PolicyHeld
    if changed.keys() & {"trigger", "cron", "enabled"}:  # else what is due at this moment would be passed over
        changed["next_at"] = _next(values, now)
    try:
        session.execute(update(policies).where(policies.c.id == policy_id).values(**changed, updated_at=now))
    except IntegrityError as error:
        raise PolicyExists(f"a replication policy named {values['name']} exists already") from error
    if turned:
        session.execute(delete(copies).where(copies.c.policy_id == policy_id))
    if row.copy_retention and not values["copy_retention"]:
        forget_stopped(session, row.target_id)
    if turned or values["trigger"] is not Trigger.EVENT_BASED or not values["enabled"]:
        session.execute(delete(changes).where(changes.c.policy_id == policy_id))
    policy = replace(
        read_policy(row), name=values["name"], source_id=values["source_id"], target_id=values["target_id"]
    )
    names = tuple(sorted(changed.keys() - {"next_at"}))
    emit(session, _event(ReplicationPolicyUpdated, policy, changed=names), context=context)
    wake(session)


def delete_policy(session: Session, policy_id: int, *, context: EventContext) -> None:
    """Delete a policy with its record; what it copied stays where it is.

    Raises NoSuchPolicy, and while an execution has not ended PolicyRunning, or PolicyStopping where each is stopped.
    """
    row = session.execute(select(policies).where(policies.c.id == policy_id).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchPolicy
    is_stopping = select(executions.c.stopping).where(executions.c.policy_id == policy_id, executions.c.state.in_(OPEN))
    running = session.scalars(is_stopping).all()
    if running:
        raise PolicyStopping if all(running) else PolicyRunning
    session.execute(delete(policies).where(policies.c.id == policy_id))
    emit(session, _event(ReplicationPolicyDeleted, read_policy(row)), context=context)


def has_open_execution(session: Session, policy_id: int, *, dry_too: bool = True) -> bool:
    """Whether an execution of a policy has not ended. The caller holds the policy, so that none begins meanwhile."""
    statement = select(executions.c.id).where(executions.c.policy_id == policy_id, executions.c.state.in_(OPEN))
    if not dry_too:
        statement = statement.where(executions.c.dry_run.is_(False))
    return session.scalar(statement.limit(1)) is not None


def _values(session: Session, wanted: WantedPolicy) -> dict[str, Any]:
    """The columns that a client says; the registry is held until the transaction ends."""
    source_id, target_id = check_sides(wanted.source, wanted.target)
    namespace, replace_count = check_namespace(wanted.namespace, wanted.replace_count)
    filters = check_filters(wanted.filters)
    trigger, cron = check_trigger(
        wanted.trigger, wanted.cron, source=source_id, single_active=wanted.single_active
    )
    values = {
        "name": check_name(wanted.name),
        "description": check_description(wanted.description),
        "source_id": source_id,
        "target_id": target_id,
        "namespace": namespace,
        "replace_count": replace_count,
        "filters": [_filter(each) for each in filters],
        "trigger": trigger,
        "cron": cron,
        "deletion": wanted.deletion,
        "override": wanted.override,
        "enabled": wanted.enabled,
        "speed": check_speed(wanted.speed),
        "copy_by_chunk": wanted.copy_by_chunk,
        "copy_labels": wanted.copy_labels,
        "copy_retention": wanted.copy_retention,
        "single_active": wanted.single_active,
        "concurrency": check_concurrency(wanted.concurrency),
    }
    try:
        registry = lock_registry(session, wanted.source or wanted.target)
    except NoSuchRegistry as error:
        raise UnfitPolicy(error.sentence) from error
    check_source(filters, registry.kind if source_id else None)
    if wanted.copy_labels:
        check_labels(registry.kind if target_id else None)
    if wanted.copy_retention:
        check_retention(registry.kind if target_id else None, namespace, replace_count, filters)
    return values


def _next(values: dict[str, Any], now: datetime) -> datetime | None:
    """When the schedule is due next; None where there is none, or the policy is disabled."""
    return Cron.parse(values["cron"]).next_after(now) if values["cron"] and values["enabled"] else None


def _filter(each: Filter) -> dict[str, Any]:
    return {
        "kind": each.kind.value,
        "values": list(each.values),
        "excludes": each.excludes,
        "decorated": each.decorated,
    }


def _event(
    kind: type[ReplicationPolicyEvent], policy: Policy, **more: tuple[str, ...]
) -> ReplicationPolicyEvent:
    return kind(policy_id=policy.id, policy=policy.name, registry_id=policy.registry_id, **more)
