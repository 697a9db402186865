"""Events become deliveries: taken in once, committed together with that knowledge, sent later by others."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from sqlalchemy import Row, Select, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.webhook.commands.locking import Lock, lock_targets
from services.webhook.commands.policy import forget_projects
from services.webhook.domain.delivery import GIVEN_UP_AFTER, MOST_WAITING, State, Trigger
from services.webhook.domain.payload import Notice, Place, Told, event_type_of, notice_of, render, repository_of
from services.webhook.domain.policy import EventType, PayloadFormat
from services.webhook.errors import PolicyDisabled
from services.webhook.queries.policy import get_policy
from services.webhook.tables import delivered_events, deliveries, policies, targets
from shared.events import Actor, Envelope
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled, ArtifactPushed
from shared.events.definitions.project import ProjectDeleted

CHANNEL: Final = "breakwater_deliveries"
"""Notified when something has become due."""

_SWITCHED_ON: Final = text("SELECT enabled FROM directory.notification")
_PROJECTS: Final = text("SELECT id, name, public FROM directory.projects WHERE name = ANY (:names)")
_REPOSITORIES: Final = text("SELECT name, created_at FROM directory.repositories WHERE name = ANY (:names)")
_NO_DIGEST: Final = "sha256:" + "0" * 64
_TARGET: Final = (
    targets.c.id, targets.c.policy_id, targets.c.payload_format, policies.c.project_id, policies.c.event_types,
)  # fmt: skip
_TRIALS: Final = {
    EventType.PUSH_ARTIFACT: ArtifactPushed,
    EventType.PULL_ARTIFACT: ArtifactPulled,
    EventType.DELETE_ARTIFACT: ArtifactDeleted,
}
"""What a policy is tried out with: the first of these that it is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Project:
    id: int
    public: bool


def enqueue(session: Session, envelopes: Sequence[Envelope], *, host: str, now: datetime) -> int:
    """Write the deliveries of events that are new, and forget deleted projects; returns how many deliveries.

    `host` is the registry as clients name it.
    """
    gone = [envelope.event.project_id for envelope in envelopes if isinstance(envelope.event, ProjectDeleted)]
    if gone:
        forget_projects(session, gone)
    each_once = {envelope.id: envelope for envelope in envelopes}.values()
    told = [(envelope, envelope.event) for envelope in each_once if isinstance(envelope.event, Told)]
    told = [(envelope, event) for envelope, event in told if event_type_of(event)]
    if not told or session.scalar(_SWITCHED_ON) is not True:
        return 0
    known = _projects(session, (event.project for _, event in told))
    types = {type_ for _, event in told if (type_ := event_type_of(event))}
    concerned = lock_targets(
        session,
        Lock.KEEP,
        policies.c.project_id.in_({_project_id(event, known) for _, event in told}),
        policies.c.event_types.overlap([type_.value for type_ in types]),
        policies.c.enabled,
    )
    wanting = _targets(session, concerned)
    if not wanting:
        return 0
    fresh = _take_in(session, (envelope.id for envelope, _ in told))
    told = [(envelope, event) for envelope, event in told if envelope.id in fresh]
    created = _repositories(session, (name for _, event in told if (name := repository_of(event))))
    rows: list[dict[str, Any]] = []
    for envelope, event in told:
        project_id, project = _project_id(event, known), known.get(event.project)
        public = project is not None and project.id == project_id and project.public
        place = Place(host=host, public=public, repository_created_at=created.get(repository_of(event) or ""))
        notice = notice_of(envelope, place)
        if notice is not None:
            wanted = (target for target in wanting.get(project_id, ()) if notice.type.value in target.event_types)
            rows.extend(_row(notice, target, trigger=Trigger.EVENT, now=now) for target in wanted)
    if rows:
        session.execute(insert(deliveries), _within_bounds(session, rows, now))
        wake(session)
    return len(rows)


def try_out(
    session: Session, project_id: int, policy_id: int, *, project: str, host: str, operator: Actor, now: datetime
) -> list[int]:
    """Send each target of a policy an example that is marked as such; returns the deliveries' numbers.

    Raises NoSuchPolicy, PolicyDisabled.
    """
    policy = get_policy(session, project_id, policy_id)
    if not policy.enabled:
        raise PolicyDisabled
    kind = next((kind for type_, kind in _TRIALS.items() if type_ in policy.event_types), ArtifactPushed)
    event = kind(project=project, repository=f"{project}/test-webhook", digest=_NO_DIGEST, tag="test")
    envelope = Envelope(
        id=uuid4(), source="", time=now, subject=event.subject, actor=operator, event=event, sequence=None,
        request_id=None, address=None, user_agent=None, traceparent=None,
    )  # fmt: skip
    known = _projects(session, [project])
    public = project in known and known[project].public
    notice = notice_of(envelope, Place(host=host, public=public, repository_created_at=now))
    if notice is None:
        return []
    mine = [target.id for target in policy.targets]
    rest_no_longer(session, mine)
    found = _targets(session, mine).get(project_id)
    if not found:
        return []
    rows = [_row(notice, target, trigger=Trigger.MANUAL, now=now) for target in found]
    made = session.scalars(insert(deliveries).returning(deliveries.c.id, sort_by_parameter_order=True), rows)
    wake(session)
    return list(made)


def rest_no_longer(session: Session, target_ids: Sequence[int]) -> None:
    """Close the circuit breaker: somebody wants to see now whether a target is back."""
    lock_targets(session, Lock.CHANGE, targets.c.id.in_(target_ids))
    session.execute(update(targets).where(targets.c.id.in_(target_ids)).values(open_until=None))


def wake(session: Session) -> None:
    """Tell whoever sends, at the commit, that something is due."""
    session.execute(select(func.pg_notify(CHANNEL, "")))


def _take_in(session: Session, ids: Iterable[UUID]) -> set[UUID]:
    """Remember events; those that were not known before."""
    rows = [{"event_id": event_id} for event_id in sorted(set(ids))]
    new = upsert(delivered_events).values(rows).on_conflict_do_nothing().returning(delivered_events.c.event_id)
    return set(session.scalars(new))


def _projects(session: Session, names: Iterable[str]) -> dict[str, _Project]:
    rows = session.execute(_PROJECTS, {"names": sorted(set(names))})
    return {row.name: _Project(id=row.id, public=row.public) for row in rows}


def _repositories(session: Session, names: Iterable[str]) -> dict[str, datetime]:
    rows = session.execute(_REPOSITORIES, {"names": sorted(set(names))})
    return {row.name: row.created_at for row in rows}


def _project_id(event: Told, known: dict[str, _Project]) -> int:
    """The event's own word; else the project of that name. No project has the number 0."""
    if event.project_id is not None:
        return event.project_id
    return known[event.project].id if event.project in known else 0


def _targets(session: Session, target_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Of those whose policies are enabled, by project: where to, in which form, and what they are about."""
    statement: Select[Any] = (
        select(*_TARGET)
        .join(policies, policies.c.id == targets.c.policy_id)
        .where(targets.c.id.in_(target_ids), policies.c.enabled)
        .order_by(targets.c.policy_id, targets.c.position)
    )
    found: dict[int, list[Row[Any]]] = {}
    for row in session.execute(statement):
        found.setdefault(row.project_id, []).append(row)
    return found


def _row(notice: Notice, target: Row[Any], *, trigger: Trigger, now: datetime) -> dict[str, Any]:
    form = PayloadFormat(target.payload_format)
    payload = render(notice, form, project_id=target.project_id, policy_id=target.policy_id)
    return {
        "uid": uuid5(NAMESPACE_URL, f"breakwater:delivery:{notice.event_id}:{target.id}"),
        "target_id": target.id,
        "policy_id": target.policy_id,
        "event_type": notice.type.value,
        "trigger": trigger.value,
        "content_type": payload.content_type,
        "body": payload.body,
        "state": State.PENDING.value,
        "message": "",
        "created_at": now,
        "updated_at": now,
        "due_at": now,
        "expires_at": now + GIVEN_UP_AFTER,
        "finished_at": None,
        "event_id": notice.event_id,
        "request_id": notice.request_id,
    }


def _within_bounds(session: Session, rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """What is too much for a target is recorded as failed at once, so that it can be asked for again."""
    waiting: Counter[int] = Counter()
    counted = (
        select(deliveries.c.target_id, func.count())
        .where(deliveries.c.target_id.in_({row["target_id"] for row in rows}), deliveries.c.state == State.PENDING)
        .group_by(deliveries.c.target_id)
    )
    for target_id, count in session.execute(counted):
        waiting[target_id] = count
    for row in rows:
        waiting[row["target_id"]] += 1
        if waiting[row["target_id"]] > MOST_WAITING:
            message = f"not sent: {MOST_WAITING} deliveries to this target were waiting already"
            row.update(state=State.ERROR.value, message=message, finished_at=now)
    return rows
