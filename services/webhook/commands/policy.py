"""Changing webhook policies. Secrets are stored sealed, and never sent to whom they were not meant for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.webhook.commands.locking import Lock, lock_targets
from services.webhook.commands.pairing import pair, with_secrets
from services.webhook.domain.policy import (
    Policy,
    Target,
    WantedPolicy,
    WantedTarget,
    check_description,
    check_event_types,
    check_name,
    check_targets,
    origin,
)
from services.webhook.errors import PolicyExists, UnfitPolicy
from services.webhook.queries import policy as queries
from services.webhook.tables import policies, targets
from shared.events import EventContext, emit
from shared.events.definitions.webhook_policy import (
    WebhookPolicyCreated,
    WebhookPolicyDeleted,
    WebhookPolicyEvent,
    WebhookPolicyUpdated,
)
from shared.secrets import Sealer, Secret

Refuses = Callable[[str], bool]
"""Whether a host is written as an address that webhooks may not be sent to."""


def create_policy(
    session: Session,
    wanted: WantedPolicy,
    *,
    project_id: int,
    project: str,
    creator: str,
    refuses: Refuses,
    sealer: Sealer,
    now: datetime,
    context: EventContext,
) -> Policy:
    """Make a policy of a project. Raises UnfitPolicy, PolicyExists."""
    values = _values(wanted)
    rows = _target_values(wanted, (), refuses=refuses, sealer=sealer)
    policy_id = session.scalar(
        upsert(policies)
        .values(**values, project_id=project_id, creator=creator, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=[policies.c.project_id, policies.c.name])
        .returning(policies.c.id)
    )
    if policy_id is None:
        raise PolicyExists(f"a webhook policy named {values['name']} exists already")
    session.execute(insert(targets), [row | {"policy_id": policy_id} for row, _ in rows])
    policy = queries.get_policy(session, project_id, policy_id)
    emit(session, _event(WebhookPolicyCreated, policy, project), context=context)
    return policy


def update_policy(
    session: Session,
    project_id: int,
    policy_id: int,
    wanted: WantedPolicy,
    *,
    project: str,
    refuses: Refuses,
    sealer: Sealer,
    now: datetime,
    context: EventContext,
) -> None:
    """Make a policy what is wanted. A target is known by its type and address; one that goes takes its record with it.

    Secrets that stay go with the address that they were given for.
    Raises NoSuchPolicy, UnfitPolicy, PolicyExists.
    """
    policy = queries.get_policy(session, project_id, policy_id, lock=True)
    values = _values(wanted)
    rows = _target_values(wanted, policy.targets, refuses=refuses, sealer=sealer)
    changed = sorted(name for name, value in values.items() if value != _stored(policy, name))
    if _replace_targets(session, policy, rows):
        changed.append("targets")
    if not changed:
        return
    try:
        session.execute(update(policies).where(policies.c.id == policy_id).values(**values, updated_at=now))
    except IntegrityError as error:
        raise PolicyExists(f"a webhook policy named {values['name']} exists already") from error
    renamed = replace(policy, name=values["name"])
    emit(session, _event(WebhookPolicyUpdated, renamed, project, changed=tuple(changed)), context=context)


def delete_policy(
    session: Session, project_id: int, policy_id: int, *, project: str, context: EventContext
) -> None:
    """Delete a policy with its deliveries, also those that are still to be sent. Raises NoSuchPolicy."""
    policy = queries.get_policy(session, project_id, policy_id, lock=True)
    lock_targets(session, Lock.DROP, targets.c.policy_id == policy_id)
    session.execute(delete(policies).where(policies.c.id == policy_id))
    emit(session, _event(WebhookPolicyDeleted, policy, project), context=context)


def forget_projects(session: Session, project_ids: list[int]) -> int:
    """Drop all that is kept of deleted projects; returns how many policies that were."""
    lock_targets(session, Lock.DROP, policies.c.project_id.in_(project_ids))
    gone = delete(policies).where(policies.c.project_id.in_(project_ids)).returning(policies.c.id)
    return len(session.scalars(gone).all())


def _values(wanted: WantedPolicy) -> dict[str, Any]:
    return {
        "name": check_name(wanted.name),
        "description": check_description(wanted.description),
        "event_types": [each.value for each in check_event_types(wanted.event_types)],
        "enabled": wanted.enabled,
    }


def _stored(policy: Policy, name: str) -> object:
    return [each.value for each in policy.event_types] if name == "event_types" else getattr(policy, name)


def _target_values(
    wanted: WantedPolicy, present: tuple[Target, ...], *, refuses: Refuses, sealer: Sealer
) -> list[tuple[dict[str, Any], Target | None]]:
    """The rows of the targets, without the policy's number, each with the stored target that it is.

    A secret that is not changed keeps its sealed form.
    """
    checked = check_targets(wanted.targets, refuses=refuses)
    same = pair(checked, present, sealer)
    rows = []
    for place, ((target, payload_format), before) in enumerate(
        zip(checked, with_secrets(checked, present, same), strict=True)
    ):
        row = {
            "position": place,
            "kind": target.kind,
            "address": target.address,
            "payload_format": payload_format.value,
            "skip_cert_verify": target.skip_cert_verify,
            "auth_header": _auth_header(target, before, sealer),
            "signing_secret": _sealed(target.signing_secret, before.signing_secret if before else None, sealer),
        }
        rows.append((row, same[place]))
    return rows


def _auth_header(target: WantedTarget, before: Target | None, sealer: Sealer) -> str | None:
    """What is kept goes to nobody but to whom it was given for: else whoever may edit a policy could read it."""
    if target.auth_header is None:
        if before is None or before.auth_header is None:
            raise UnfitPolicy("auth_header is masked, and none is stored: give it in full")
        less_safe = target.skip_cert_verify and not before.skip_cert_verify
        if origin(before.address) != origin(target.address) or less_safe:
            raise UnfitPolicy("auth_header is masked, and the target is another one now: give it in full")
    return _sealed(target.auth_header, before.auth_header if before else None, sealer)


def _sealed(wanted: Secret | None, before: str | None, sealer: Sealer) -> str | None:
    """The sealed form of a secret: the one from before where it is to stay or is the same."""
    if wanted is None:
        return before
    if not wanted.reveal():
        return None
    if before is not None and sealer.open(before).matches(wanted.reveal()):
        return before
    return sealer.seal(wanted)


def _replace_targets(session: Session, policy: Policy, rows: list[tuple[dict[str, Any], Target | None]]) -> bool:
    """Change, move, add and drop targets; tells whether anything had to be done.

    What waits for one that is dropped goes with it.
    """
    places = {target.id: place for place, target in enumerate(policy.targets)}
    changes: dict[int, dict[str, Any]] = {}
    for row, same in rows:
        if same is not None:
            before = {name: getattr(same, name) for name in row if name != "position"} | {"position": places[same.id]}
            changes[same.id] = {name: value for name, value in row.items() if value != before[name]}
    dropped = [target.id for target in policy.targets if target.id not in changes]
    added = [row | {"policy_id": policy.id} for row, same in rows if same is None]
    if not (dropped or added or any(changes.values())):
        return False
    # a place is part of a key: to change it takes as much as to drop the row
    thorough = dropped or any("position" in values for values in changes.values())
    lock_targets(session, Lock.DROP if thorough else Lock.CHANGE, targets.c.policy_id == policy.id)
    if dropped:
        session.execute(delete(targets).where(targets.c.id.in_(dropped)))
    for target_id, values in changes.items():
        if values:
            session.execute(update(targets).where(targets.c.id == target_id).values(**values))
    if added:
        session.execute(insert(targets), added)
    return True


def _event(
    kind: type[WebhookPolicyEvent], policy: Policy, project: str, **more: tuple[str, ...]
) -> WebhookPolicyEvent:
    return kind(project=project, project_id=policy.project_id, policy_id=policy.id, policy=policy.name, **more)
