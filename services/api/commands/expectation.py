"""What is expected of the registry: every manifest write is committed here before it is sent, and settled once.

A conditional UPDATE decides who tells of it: the registry's notification, the reconciler, or whoever sent it. A row
that is being settled is locked, so another who would settle it waits for the outcome.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from services.api.errors import NoSuchProject
from shared.errors import Unavailable
from shared.events import Actor, ActorKind, EventContext
from shared.names import Digest, RepositoryName, TagName, parse_reference

REPEATED_SECONDS: Final = 60
"""So long after a push another one with its request's id is that push, sent again by the proxy."""


class Kind(StrEnum):
    """What is done to a manifest."""

    PUT = "put"
    DELETE = "delete"


class State(StrEnum):
    """What became of it."""

    OPEN = "open"
    SETTLED = "settled"
    REFUSED = "refused"


class SettledBy(StrEnum):
    """Who found out."""

    REGISTRY = "registry"
    RECONCILER = "reconciler"
    GATE = "gate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """One manifest write, as it is asked for."""

    id: UUID
    kind: Kind
    repository: RepositoryName
    reference: TagName | Digest
    digest: Digest | None
    """Of the manifest that is written or deleted, where it is known."""
    media_type: str | None
    size: int | None
    context: EventContext
    created_at: datetime
    answered: bool
    """Whether the registry had answered with success."""

    @property
    def cause(self) -> str:
        """What the ids of its events are made of."""
        return f"expected:{self.id}"


# whoever deletes the project waits for this, or this for him: one of the two sees the other
_OPEN: Final = text(
    """
    INSERT INTO events.expected (id, kind, repository, reference, digest, subject, media_type, size, actor, actor_kind,
                                 address, user_agent, request_id, traceparent)
    SELECT :id, :kind, :repository, :reference, :digest, :subject, :media_type, :size, :actor, :actor_kind,
           :address, :user_agent, :request_id, :traceparent
    FROM (SELECT FROM core.projects WHERE name = :project AND deleted_at IS NULL FOR KEY SHARE) AS project
    RETURNING id
    """
)
_UNANSWERED: Final = text(
    """
    SELECT id FROM events.expected
    WHERE digest = :digest AND kind = 'put' AND repository = :repository AND reference = :reference
      AND request_id = :request_id AND actor = :actor AND actor_kind = :actor_kind
      AND state <> 'refused' AND answered_at IS NULL AND created_at > now() - make_interval(secs => :seconds)
      AND EXISTS (SELECT FROM core.projects WHERE name = :project AND deleted_at IS NULL)
    ORDER BY created_at LIMIT 1
    """
)
_HOLD: Final = text("SELECT id FROM events.expected WHERE id = ANY (:ids) AND state = 'open' ORDER BY id FOR UPDATE")
_ANSWERED: Final = text("UPDATE events.expected SET answered_at = now() WHERE id = :id")
_SETTLE: Final = text(
    """
    UPDATE events.expected SET state = :state, settled_by = :settled_by, settled_at = now()
    WHERE id = :id AND state = 'open' RETURNING id
    """
)
_UNCOUNT: Final = text(
    """
    WITH departed AS (DELETE FROM core.quota_departures WHERE expectation_id = :id)
    DELETE FROM core.quota_reservations WHERE expectation_id = :id
    """
)
_UNSETTLED: Final = text(
    """
    SELECT id, kind, repository, reference, digest, media_type, size, actor, actor_kind, address, user_agent,
           request_id, traceparent, created_at, answered_at IS NOT NULL AS answered
    FROM events.expected WHERE state = 'open' AND created_at < :before
    ORDER BY created_at LIMIT :limit
    """
)
_LEFT_OPEN: Final = text(
    """
    SELECT id, kind, repository, reference, digest, media_type, size, actor, actor_kind, address, user_agent,
           request_id, traceparent, created_at, answered_at IS NOT NULL AS answered
    FROM events.expected e
    WHERE state = 'open' AND kind = 'delete' AND repository = :repository AND reference = :digest AND id <> :mine
      AND NOT EXISTS (
          SELECT FROM events.expected d
          WHERE d.state = 'settled' AND d.kind = 'delete' AND d.repository = e.repository AND d.digest = e.digest
            AND d.settled_at > e.created_at AND d.id <> :mine)
    ORDER BY created_at LIMIT 1 FOR UPDATE
    """
)
_STANDS_IN: Final = text(
    "SELECT EXISTS (SELECT FROM events.expected WHERE id = :id AND kind = 'delete' AND digest = :digest)"
)
_UNTAGGING: Final = text(
    """
    SELECT reference FROM events.expected
    WHERE state = 'open' AND kind = 'delete' AND repository = :repository AND reference = ANY (:tags)
    """
)
_PUSHED_TO: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM events.expected e
        WHERE e.kind = 'put' AND split_part(e.repository, '/', 1) = :project
          AND (e.state = 'open' OR (
              e.state = 'settled' AND e.created_at > now() - interval '1 hour' AND NOT EXISTS (
                  SELECT FROM events.expected d
                  WHERE d.kind = 'delete' AND d.state = 'settled' AND d.repository = e.repository
                    AND d.digest = e.digest AND d.created_at > e.created_at)))
    )
    """
)
_PURGE: Final = text(
    """
    DELETE FROM events.expected WHERE id IN (
        SELECT id FROM events.expected WHERE created_at < :before AND state <> 'open' ORDER BY created_at LIMIT :limit
    )
    """
)


def open_expectation(
    session: Session,
    *,
    kind: Kind,
    repository: RepositoryName,
    reference: TagName | Digest,
    digest: Digest | None,
    context: EventContext,
    media_type: str | None = None,
    size: int | None = None,
    subject: Digest | None = None,
    expectation_id: UUID | None = None,
) -> UUID:
    """Write down what will be asked of the registry; commit it before asking. Its id is random unless given.

    `subject` is what a manifest that is stored says it is about.
    Raises NoSuchProject: a token may outlive the project it was given for.
    """
    opened: UUID | None = session.scalar(
        _OPEN,
        {
            "id": expectation_id or uuid4(),
            "kind": kind.value,
            "project": repository.project,
            "repository": repository.text,
            "reference": reference.text,
            "digest": digest.text if digest else None,
            "subject": subject.text if subject else None,
            "media_type": media_type,
            "size": size,
            "actor": context.actor.name,
            "actor_kind": context.actor.kind.value,
            "address": context.address or "",
            "user_agent": context.user_agent or "",
            "request_id": context.request_id or "",
            "traceparent": context.traceparent or "",
        },
    )
    if opened is None:
        raise NoSuchProject(f"the project {repository.project} does not exist")
    return opened


def unanswered(
    session: Session, repository: RepositoryName, reference: TagName | Digest, digest: Digest, context: EventContext
) -> UUID | None:
    """The push that this one repeats, by the same request: whoever passed it on has died before he answered."""
    if not context.request_id:
        return None
    found: UUID | None = session.scalar(
        _UNANSWERED,
        {
            "digest": digest.text,
            "project": repository.project,
            "repository": repository.text,
            "reference": reference.text,
            "request_id": context.request_id,
            "actor": context.actor.name,
            "actor_kind": context.actor.kind.value,
            "seconds": REPEATED_SECONDS,
        },
    )
    return found


def is_pushed_to(session: Session, project: str) -> bool:
    """Whether a manifest is on its way into a project that has no repository: to the registry, or to the catalogue.

    What was told of within the hour, and was not deleted, is still to be catalogued. What the registry has lost since
    looks the same, for that hour.
    """
    return bool(session.scalar(_PUSHED_TO, {"project": project}))


def mark_answered(session: Session, expectation_id: UUID) -> None:
    """Keep that the registry answered with success: evidence for the reconciler, and what its event waits for."""
    session.execute(_ANSWERED, {"id": expectation_id})


def settle(session: Session, expectation_id: UUID, *, by: SettledBy) -> bool:
    """Take it on oneself to tell of it; False where another has. The row stays locked until the commit."""
    return _close(session, expectation_id, State.SETTLED, by)


def hold(session: Session, expectation_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those that are still open: until the commit nobody else settles them."""
    return frozenset(session.scalars(_HOLD, {"ids": list(expectation_ids)}))


def take_on(session: Session, expectation_id: UUID) -> None:
    """Tell of one's own write, once it is done. Raises Unavailable where the reconciler has given it up meanwhile."""
    if not settle(session, expectation_id, by=SettledBy.GATE):
        raise Unavailable("the request took too long and was given up: try again")


def refuse(session: Session, expectation_id: UUID, *, by: SettledBy) -> bool:
    """It did not happen and will not, and needs and frees no room; False where another has settled it."""
    session.execute(_UNCOUNT, {"id": expectation_id})
    return _close(session, expectation_id, State.REFUSED, by)


def is_stand_in(session: Session, expectation_id: UUID, digest: Digest) -> bool:
    """Whether a manifest was made to take a tag off, and is no artifact of anybody's."""
    return bool(session.scalar(_STANDS_IN, {"id": expectation_id, "digest": digest.text}))


def being_untagged(session: Session, repository: RepositoryName, tags: Collection[TagName]) -> frozenset[TagName]:
    """Those of some tags whose deletion is under way, or died on its way and is still to be told of."""
    if not tags:
        return frozenset()
    values = {"repository": repository.text, "tags": [tag.text for tag in tags]}
    return frozenset(TagName(name) for name in session.scalars(_UNTAGGING, values))


def unsettled(session: Session, *, instance_id: UUID, before: datetime, limit: int) -> Sequence[Expectation]:
    """What was expected before a moment and is still open, oldest first."""
    rows = session.execute(_UNSETTLED, {"before": before, "limit": limit})
    return [_expectation(row, instance_id) for row in rows]


def left_open(
    session: Session, repository: RepositoryName, digest: Digest, *, mine: UUID, instance_id: UUID
) -> Expectation | None:
    """The first deletion of a manifest, beside one's own, that nobody has told of; it stays locked until the commit."""
    arguments = {"repository": repository.text, "digest": digest.text, "mine": mine}
    row = session.execute(_LEFT_OPEN, arguments).one_or_none()
    return _expectation(row, instance_id) if row else None


def purge(session: Session, *, before: datetime, limit: int = 10_000) -> int:
    """Drop what was settled or refused long ago; returns how many, at most `limit`."""
    return int(session.execute(_PURGE, {"before": before, "limit": limit}).rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult


def _close(session: Session, expectation_id: UUID, state: State, by: SettledBy) -> bool:
    closed = session.execute(_SETTLE, {"id": expectation_id, "state": state.value, "settled_by": by.value})
    return closed.one_or_none() is not None


def _expectation(row: Row[Any], instance_id: UUID) -> Expectation:
    return Expectation(
        id=row.id,
        kind=Kind(row.kind),
        repository=RepositoryName.parse(row.repository),
        reference=parse_reference(row.reference),
        digest=Digest.parse(row.digest) if row.digest else None,
        media_type=row.media_type,
        size=row.size,
        context=EventContext(
            instance_id=instance_id,
            actor=Actor(kind=ActorKind(row.actor_kind), name=row.actor),
            request_id=row.request_id or None,
            address=row.address or None,
            user_agent=row.user_agent or None,
            traceparent=row.traceparent or None,
        ),
        created_at=row.created_at,
        answered=row.answered,
    )
