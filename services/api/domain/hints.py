"""What a batch of events hints at: repositories to look at, and pulls to count. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.events import Envelope
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactEvent, ArtifactPulled
from shared.events.definitions.tag import TagEvent
from shared.names import Digest, RepositoryName, TagName


@dataclass(frozen=True, kw_only=True, slots=True)
class Pull:
    """One manifest that somebody read."""

    event_id: UUID
    repository: RepositoryName
    digest: Digest
    tag: TagName | None
    time: datetime


@dataclass(kw_only=True, slots=True)
class Hint:
    """What to ask about one repository; each with the time of the event that names it."""

    digests: dict[Digest, datetime] = field(default_factory=dict)
    tags: dict[TagName, datetime] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class Hints:
    """A batch, sorted out in the order of its events."""

    repositories: dict[RepositoryName, Hint] = field(default_factory=dict)
    pulls: list[Pull] = field(default_factory=list)

    def look_at(self, repository: RepositoryName, digest: Digest | None, tag: TagName | None, time: datetime) -> None:
        """Add what one event names; of several times the first is kept."""
        hint = self.repositories.setdefault(repository, Hint())
        if digest is not None:
            hint.digests.setdefault(digest, time)
        if tag is not None:
            hint.tags.setdefault(tag, time)


def hints_of(envelopes: Iterable[Envelope]) -> Hints:
    """Sort a batch; events that say nothing about the registry are passed over. Raises InvalidName."""
    hints = Hints()
    for envelope in envelopes:
        match envelope.event:
            case ArtifactPulled() as pulled:
                if pulled.counted:
                    hints.pulls.append(_pull(envelope, pulled))
            case ArtifactEvent() as changed:
                # what a deletion has freed of its tags has events of its own
                tag = None if isinstance(changed, ArtifactDeleted) else _tag(changed.tag)
                hints.look_at(_name(changed.repository), Digest.parse(changed.digest), tag, envelope.time)
            case TagEvent() as named:
                hints.look_at(_name(named.repository), None, _tag(named.tag), envelope.time)
    return hints


def _pull(envelope: Envelope, pulled: ArtifactPulled) -> Pull:
    return Pull(
        event_id=envelope.id,
        repository=_name(pulled.repository),
        digest=Digest.parse(pulled.digest),
        tag=_tag(pulled.tag),
        time=envelope.time,
    )


def _name(text: str) -> RepositoryName:
    return RepositoryName.parse(text)


def _tag(text: str | None) -> TagName | None:
    return TagName.parse(text) if text else None
