"""Changing webhook policies. Secrets are stored sealed, and never sent to whom they were not meant for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

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
_AFRESH: Mapping[str, object] = {"failures": 0, "open_until": None}
"""Another address is another target: it begins with a clean record."""


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
    session.execute(insert(targets), [row | {"policy_id": policy_id} for row in rows])
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
    """Make a policy what is wanted; targets are told apart by their place, and one that goes takes its record with it.

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
    session.execute(delete(policies).where(policies.c.id == policy_id))
    emit(session, _event(WebhookPolicyDeleted, policy, project), context=context)


def forget_projects(session: Session, project_ids: list[int]) -> int:
    """Drop all that is kept of deleted projects; returns how many policies that were."""
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
) -> list[dict[str, Any]]:
    """The rows of the targets, without the policy's number. A secret that is not changed keeps its sealed form."""
    rows = []
    kept = _kept(wanted.targets, present)
    for place, (target, payload_format) in enumerate(check_targets(wanted.targets, refuses=refuses)):
        before = kept[place]
        rows.append(
            {
                "position": place,
                "kind": target.kind,
                "address": target.address,
                "payload_format": payload_format.value,
                "skip_cert_verify": target.skip_cert_verify,
                "auth_header": _auth_header(target, before, sealer),
                "signing_secret": _sealed(target.signing_secret, before.signing_secret if before else None, sealer),
            }
        )
    return rows


def _kept(wanted: Sequence[WantedTarget], present: Sequence[Target]) -> list[Target | None]:
    """The stored target that each wanted one has been: the one of its address, else the one in its place.

    So a target that is taken out from before others leaves them their own secrets.
    """
    free = dict(enumerate(present))
    found: dict[int, Target] = {}
    rules: tuple[Callable[[bool, bool], bool], ...] = (
        lambda same_place, same_address: same_place and same_address,
        lambda _, same_address: same_address,
        lambda same_place, _: same_place,
    )
    for fits in rules:
        for place, target in enumerate(wanted):
            at = next((at for at in free if fits(at == place, free[at].address == target.address)), None)
            if place not in found and at is not None:
                found[place] = free.pop(at)
    return [found.get(place) for place in range(len(wanted))]


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


def _replace_targets(session: Session, policy: Policy, rows: list[dict[str, Any]]) -> bool:
    """Change, add and drop targets; tells whether anything had to be done."""
    changed = False
    for row, before in zip(rows, policy.targets, strict=False):
        differing = {
            name: value for name, value in row.items() if name != "position" and value != getattr(before, name)
        }
        if differing:
            values = {**differing, **(_AFRESH if "address" in differing else {})}
            session.execute(update(targets).where(targets.c.id == before.id).values(**values))
            changed = True
    added = rows[len(policy.targets) :]
    if added:
        session.execute(insert(targets), [row | {"policy_id": policy.id} for row in added])
    dropped = [target.id for target in policy.targets[len(rows) :]]
    if dropped:
        session.execute(delete(targets).where(targets.c.id.in_(dropped)))
    return changed or bool(added or dropped)


def _event(
    kind: type[WebhookPolicyEvent], policy: Policy, project: str, **more: tuple[str, ...]
) -> WebhookPolicyEvent:
    return kind(project=project, project_id=policy.project_id, policy_id=policy.id, policy=policy.name, **more)
