"""What a client asks the stream for: which events, and from where on. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.errors import BadRequest
from shared.events.catalogue import BY_TYPE, DEFINITIONS
from shared.names import ProjectName, RepositoryName

MOST_VALUES: Final = 100
_LARGEST_SEQUENCE: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which events are wanted; an empty set does not narrow."""

    types: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    repositories: frozenset[str] = frozenset()

    @property
    def named_projects(self) -> frozenset[str]:
        """The projects that the filter speaks of."""
        return self.projects | {name.partition("/")[0] for name in self.repositories}

    def takes(self, type_: str, project: str | None, repository: str | None) -> bool:
        """Whether an event is among the wanted."""
        return (
            (not self.types or type_ in self.types)
            and (not self.projects or project in self.projects)
            and (not self.repositories or repository in self.repositories)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What one client asks for; `since` is the last sequence it has, a time, or None for what comes from now on."""

    filter: Filter
    since: int | datetime | None = None


def read_wish(
    *,
    types: Iterable[str] = (),
    projects: Iterable[str] = (),
    repositories: Iterable[str] = (),
    last_event_id: str | None = None,
    since: str | None = None,
) -> Wish:
    """Read the parameters. The header Last-Event-ID outdoes `since`: a browser repeats the URL when it reconnects.

    Raises BadRequest.
    """
    wanted = Filter(
        types=frozenset(each for text in _values("type", types) for each in _types(text)),
        projects=frozenset(ProjectName.parse(text).text for text in _values("project", projects)),
        repositories=frozenset(RepositoryName.parse(text).text for text in _values("repository", repositories)),
    )
    if last_event_id:
        return Wish(filter=wanted, since=_sequence("Last-Event-ID", last_event_id))
    return Wish(filter=wanted, since=_since(since) if since else None)


def _values(name: str, texts: Iterable[str]) -> list[str]:
    values = [value for text in texts for value in text.split(",") if value]
    if len(values) > MOST_VALUES:
        raise BadRequest(f"{name} takes at most {MOST_VALUES} values")
    return values


def _types(text: str) -> Iterable[str]:
    """A whole type, its short form `artifact.pushed`, or a noun for all that happens to it."""
    if text in BY_TYPE:
        return (text,)
    found = [each.type for each in DEFINITIONS if text in {each.noun, f"{each.noun}.{each.verb}", f"{each.noun}.*"}]
    if not found:
        raise BadRequest(f"no event has the type {text[:80]!r}")
    return found


def _since(text: str) -> int | datetime:
    if text.isascii() and text.isdigit():
        return _sequence("since", text)
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped "+" of an offset arrives as a space
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text.upper():
        raise BadRequest("since must be a sequence or an RFC 3339 time such as 2026-01-31T12:00:00Z")
    return moment.astimezone(UTC)


def _sequence(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_SEQUENCE))):
        raise BadRequest(f"{name} is not the sequence of an event")
    if int(text) > _LARGEST_SEQUENCE:
        raise BadRequest(f"{name} is not the sequence of an event")
    return int(text)
