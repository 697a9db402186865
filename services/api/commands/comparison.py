"""Comparing the whole catalogue with the registry: what no notification and no expectation has told of.

Repository by repository and in small steps, so that pushes go on; what has passed the gate lately is left to its own
expectation to be told of.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.announcement import announce_push, announce_removal
from services.api.commands.catalogue import known_digests
from services.api.commands.observation import observe
from services.api.commands.quota import recount
from services.api.domain.observation import Changes, TagChange, Unread
from services.api.errors import StorageEmpty
from services.api.tables import artifacts, repositories, tags
from shared import logging
from shared.auth.principals import SYSTEM_PREFIX
from shared.events import Actor, ActorKind, EventContext
from shared.events.definitions.artifact import Origin
from shared.names import Digest, InvalidName, RepositoryName, TagName
from shared.registry.bucket import Bucket
from shared.registry.client import RegistryClient
from shared.registry.errors import RegistryRefused
from shared.registry.storage import revisions

STEP: Final = 100
"""Manifests that are compared under one lock, in one transaction."""

_PASSED: Final = text(
    """
    SELECT DISTINCT digest FROM events.expected
    WHERE repository = :repository AND kind = :kind AND digest = ANY (:digests)
    """
)
Thing = TypeVar("Thing")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What comparing one repository changed in the catalogue."""

    repository: str
    compared: int = 0
    added: int = 0
    removed: int = 0
    tags_set: int = 0
    tags_removed: int = 0
    unread: tuple[Unread, ...] = ()
    """What lies there and could not be read, or is nothing that a catalogue holds."""
    skipped: str | None = None
    """Why it could not be compared."""

    @property
    def changed(self) -> bool:
        """Whether catalogue and registry differed."""
        return bool(self.added or self.removed or self.tags_set or self.tags_removed)


@dataclass(slots=True)
class _Tally:
    """The outcome of one repository while it is being compared."""

    compared: int = 0
    added: int = 0
    removed: int = 0
    tags_set: int = 0
    tags_removed: int = 0
    unread: list[Unread] = field(default_factory=list)
    has_project: bool = False

    def add(self, changes: Changes, compared: int) -> None:
        self.compared += compared
        self.added += len(changes.added)
        self.removed += len(changes.removed)
        self.tags_set += len(changes.tags_set)
        self.tags_removed += len(changes.tags_removed)
        self.unread += changes.unread
        self.has_project |= changes.project_id is not None


class Pace:
    """At most so many manifests a second; None is as fast as the registry answers."""

    def __init__(self, per_second: float | None = None, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._per_second = per_second
        self._sleep = sleep

    def keep(self, manifests: int, began: float) -> None:
        """Wait until that many may have been compared since `began` (time.monotonic)."""
        if self._per_second:
            self._sleep(max(0.0, manifests / self._per_second - (time.monotonic() - began)))


class Comparison:
    """How repositories are compared, and as what the differences are told."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        registry: RegistryClient,
        *,
        instance_id: UUID,
        origin: Origin = Origin.RECONCILER,
        pace: Pace | None = None,
        storage: Path | Bucket | None = None,
    ) -> None:
        """`storage` is the registry's, where it can be read: it also shows what no tag names."""
        self._sessions = sessions
        self._registry = registry
        self._origin = origin
        self._pace = pace or Pace()
        self._storage = storage
        actor = Actor(kind=ActorKind.SYSTEM, name=f"{SYSTEM_PREFIX}metadata")
        self._context = EventContext(instance_id=instance_id, actor=actor)

    def names(self, *, project: str | None = None, accept_empty: bool = False) -> list[str]:
        """Every repository that registry or catalogue knows, in order.

        Raises StorageEmpty where the registry knows none at all and the catalogue does: that is a storage that is not
        mounted rather than one that was emptied.
        """
        stored = set(self._registry.repositories())
        with self._sessions() as session:
            known = set(session.scalars(select(repositories.c.name)))
            artifacts_known = session.scalar(select(func.coalesce(func.sum(repositories.c.artifact_count), 0)))
        if not stored and artifacts_known and not accept_empty:
            raise StorageEmpty(
                f"the registry holds no repository and the catalogue {artifacts_known} artifacts: is its storage there?"
            )
        return sorted(name for name in stored | known if project is None or name.partition("/")[0] == project)

    def run(self, names: Sequence[str]) -> Iterator[Outcome]:
        """Compare one repository after the other; each is done when its outcome is given. Raises Unavailable.

        One that the registry cannot give is passed over: it keeps none of the others from being compared.
        """
        recounted = ""
        for name in names:
            try:
                repository = RepositoryName.parse(name)
            except InvalidName:
                yield Outcome(repository=name, skipped="its name has no project")
                continue
            if recounted != repository.project:
                recounted = self._recount(repository.project)
            try:
                yield self._compare(repository)
            except RegistryRefused as error:
                yield Outcome(repository=name, skipped=error.sentence)

    def _recount(self, project: str) -> str:
        """Sum up a project's storage from its artifacts, once before they are compared."""
        with self._sessions.begin() as session:
            if recount(session, project):
                logging.get().warning("storage_recounted", project=project)
        return project

    def _compare(self, repository: RepositoryName) -> Outcome:
        now = datetime.now(UTC)
        stored = _tags(self._registry.tags(repository))
        with self._sessions() as session:
            known = _known_tags(session, repository)
        tally = _Tally()
        for tag_names in _steps(dict.fromkeys([*sorted(stored, key=str), *known])):
            tally.add(self._step(repository, {}, dict.fromkeys(tag_names, now)), len(tag_names))
        # a tag that resolves proves its manifest; what no tag names, or none any more, is asked for by itself
        with self._sessions() as session:
            untagged = _untagged(session, repository)
            unknown = self._unknown(session, repository)
        tried = {each.reference for each in tally.unread}
        unknown = [digest for digest in unknown if digest not in tried]
        for digests in _steps([*untagged, *unknown]):
            tally.add(self._step(repository, dict.fromkeys(digests, now), {}), len(digests))
        return Outcome(
            repository=repository.text,
            compared=tally.compared,
            added=tally.added,
            removed=tally.removed,
            tags_set=tally.tags_set,
            tags_removed=tally.tags_removed,
            unread=tuple(tally.unread),
            skipped=None if tally.has_project or not tally.compared else "no project has that name",
        )

    def _unknown(self, session: Session, repository: RepositoryName) -> list[Digest]:
        """What lies in the storage and not in the catalogue."""
        if self._storage is None:
            return []
        stored = revisions(self._storage, repository)
        return sorted(set(stored) - known_digests(session, repository, stored), key=str)

    def _step(
        self, repository: RepositoryName, digests: dict[Digest, datetime], tag_names: dict[TagName, datetime]
    ) -> Changes:
        began = time.monotonic()
        with self._sessions.begin() as session:
            changes = observe(session, self._registry, repository, digests=digests, tags=tag_names)
            if changes:
                self._announce(session, repository, changes)
        self._pace.keep(len(digests) + len(tag_names), began)
        return changes

    def _announce(self, session: Session, repository: RepositoryName, changes: Changes) -> None:
        told = _passed(session, repository, "put", [found.manifest.digest for found in changes.added])
        told |= _passed(session, repository, "put", [change.digest for change in changes.tags_set])
        media = {found.manifest.digest: found.manifest for found in changes.added}
        tagged = {change.digest for change in changes.tags_set}
        pushed: list[tuple[Digest, TagName | None]] = [(digest, None) for digest in media if digest not in tagged]
        pushed += [(change.digest, change.tag) for change in changes.tags_set]
        for digest, tag in pushed:
            if digest not in told:
                manifest = media.get(digest)
                announce_push(
                    session,
                    repository,
                    digest,
                    tag,
                    context=self._context,
                    origin=self._origin,
                    project_id=changes.project_id,
                    media_type=manifest.media_type if manifest else None,
                    size=manifest.length if manifest else None,
                )
        ended = _passed(session, repository, "delete", [*changes.removed, *_digests(changes.tags_removed)])
        untold = Changes(
            project_id=changes.project_id,
            removed=tuple(digest for digest in changes.removed if digest not in ended),
            tags_removed=tuple(change for change in changes.tags_removed if change.digest not in ended),
        )
        cause = f"compared:{uuid4()}"
        announce_removal(session, repository, untold, context=self._context, origin=self._origin, cause=cause)


def _tags(names: Sequence[str]) -> list[TagName]:
    """The tags among what a storage lists; folders of other names may lie there, and nothing can be asked of them."""
    found = []
    for name in names:
        try:
            found.append(TagName.parse(name))
        except InvalidName:
            logging.get().warning("tag_passed_over", tag=name[:128])
    return found


def _known_tags(session: Session, repository: RepositoryName) -> list[TagName]:
    query = (
        select(tags.c.name)
        .join(repositories, repositories.c.id == tags.c.repository_id)
        .where(repositories.c.name == repository.text)
        .order_by(tags.c.name)
    )
    return [TagName(name) for name in session.scalars(query)]


def _untagged(session: Session, repository: RepositoryName) -> list[Digest]:
    query = (
        select(artifacts.c.digest)
        .join(repositories, repositories.c.id == artifacts.c.repository_id)
        .where(repositories.c.name == repository.text)
        .where(~select(tags.c.id).where(tags.c.artifact_id == artifacts.c.id).exists())
        .order_by(artifacts.c.id)
    )
    return [Digest(digest) for digest in session.scalars(query)]


def _passed(session: Session, repository: RepositoryName, kind: str, digests: Sequence[Digest]) -> set[Digest]:
    """Which of these writes have passed the gate lately, and are told of by their expectation."""
    if not digests:
        return set()
    values = {"repository": repository.text, "kind": kind, "digests": [digest.text for digest in digests]}
    return {Digest(digest) for digest in session.scalars(_PASSED, values)}


def _digests(changes: Sequence[TagChange]) -> list[Digest]:
    return [change.digest for change in changes]


def _steps(things: dict[Thing, None] | Sequence[Thing]) -> Iterator[list[Thing]]:
    remaining = iter(things)
    while step := list(islice(remaining, STEP)):
        yield step
