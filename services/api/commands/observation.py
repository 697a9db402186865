"""Asking the registry what is true of a repository, and recording it: an event, or a person, only gives the hint.

The lock on the repository is held around asking and recording. What is in the catalogue already is not read again:
content has the digest of its bytes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from services.api.commands.catalogue import known_digests, known_sizes, lock_repository, record
from services.api.commands.expectation import being_untagged, is_stand_in
from services.api.domain.artifact import is_image
from services.api.domain.attributes import image_attributes, other_attributes
from services.api.domain.observation import Changes, Found, TagState, Truth, Unread
from shared.errors import BreakwaterError
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from shared.registry.errors import RegistryRefused, UnreadableManifest
from shared.registry.manifests import CONFIG_LIMIT, Index, Manifest, parse, parse_image_config

MAX_DEPTH: Final = 4
"""How deep indexes may hold indexes before what is below is left out of the catalogue."""


def observe(
    session: Session,
    registry: RegistryClient,
    repository: RepositoryName,
    *,
    digests: Mapping[Digest, datetime],
    tags: Mapping[TagName, datetime],
) -> Changes:
    """Make the catalogue agree with the registry on these manifests and tags; the caller commits.

    Each comes with the time from which it holds if it turns out to be new. What cannot be read is named in the result
    and keeps nobody else from being recorded. Raises RegistryUnavailable.
    """
    lock_repository(session, repository)
    truth = _Look(session, registry, repository).truth(digests, tags)
    return replace(record(session, truth), unread=truth.unread)


def look(
    session: Session,
    registry: RegistryClient,
    repository: RepositoryName,
    *,
    digests: Mapping[Digest, datetime],
    tags: Mapping[TagName, datetime],
) -> Truth:
    """What the registry says of them now; the repository's lock is held.

    Raises RegistryUnavailable, or RegistryRefused where it cannot give one of them.
    """
    truth = _Look(session, registry, repository).truth(digests, tags)
    raise_refused(truth.unread)
    return truth


def raise_refused(unread: Iterable[Unread]) -> None:
    """Raise the first refusal among what could not be read: asked again later, the registry may give it."""
    for each in unread:
        if isinstance(each.error, RegistryRefused):
            raise each.error


def stored_sizes(
    session: Session, registry: RegistryClient, repository: RepositoryName, manifest: Manifest
) -> dict[Digest, int]:
    """The blobs of a manifest with the sizes that the registry holds; a descriptor may claim anything."""
    return measured(registry, repository, manifest, known_sizes(session, repository, manifest.parts))


def measured(
    registry: RegistryClient, repository: RepositoryName, manifest: Manifest, known: Mapping[Digest, int]
) -> dict[Digest, int]:
    """What is known of the sizes of a manifest's blobs, and the rest as the registry says; one it lacks is left out."""
    asked = {digest: registry.blob_size(repository, digest) for digest in manifest.parts - known.keys()}
    return {**known, **{digest: size for digest, size in asked.items() if size is not None}}


class _Look:
    """One look at a repository, its lock held."""

    def __init__(self, session: Session, registry: RegistryClient, repository: RepositoryName) -> None:
        self._session = session
        self._registry = registry
        self._repository = repository
        self._found: dict[Digest, Found] = {}
        self._standing_in: set[Digest] = set()
        self._unread: dict[TagName | Digest, BreakwaterError] = {}

    def truth(self, digests: Mapping[Digest, datetime], tags: Mapping[TagName, datetime]) -> Truth:
        named = self._named(tags)
        targets = {digest: tags[tag] for tag, digest in named.items() if digest is not None}
        wanted = {**targets, **digests}
        known = known_digests(self._session, self._repository, wanted)
        gone: set[Digest] = set()
        refused: set[Digest] = set()
        for digest, time in wanted.items():
            try:
                if digest not in known:
                    if not self._read(digest, time):
                        gone.add(digest)
                elif digest not in targets and self._registry.resolve(self._repository, digest) is None:
                    gone.add(digest)
            except RegistryRefused as error:
                self._unread[digest] = error
                refused.add(digest)
        missing = {tag for tag, digest in named.items() if digest is None}
        left = being_untagged(self._session, self._repository, missing)
        return Truth(
            repository=self._repository,
            found=tuple(self._found.values()),
            gone=frozenset(gone),
            # a tag whose deletion is under way is left to whoever deletes it: he tells of what the catalogue still has
            tags={
                tag: TagState(digest=digest, since=tags[tag])
                for tag, digest in named.items()
                if tag not in left and digest not in self._standing_in and digest not in refused
            },
            unread=tuple(
                Unread(repository=self._repository, reference=reference, error=error)
                for reference, error in self._unread.items()
            ),
        )

    def _named(self, tags: Mapping[TagName, datetime]) -> dict[TagName, Digest | None]:
        """What the tags name; one that the registry cannot resolve is not among them."""
        named = {}
        for tag in tags:
            try:
                named[tag] = self._registry.resolve(self._repository, tag)
            except RegistryRefused as error:
                self._unread[tag] = error
        return named

    def _read(self, digest: Digest, time: datetime, depth: int = 0) -> bool:
        """Find a manifest and, before it, the children that the catalogue lacks; whether the registry has it."""
        if digest in self._found or digest in self._standing_in:
            return True
        stored = self._registry.manifest(self._repository, digest)
        if stored is None:
            return False
        try:
            manifest = parse(stored.body, stored.media_type)
        except UnreadableManifest as error:
            self._unread[digest] = error
            return True
        if not isinstance(manifest, Index):
            self._found[digest] = self._measure(manifest, time)
        elif manifest.stands_in_for and is_stand_in(self._session, manifest.stands_in_for, digest):
            self._standing_in.add(digest)
        else:
            self._read_children(manifest, time, depth)
            self._found[digest] = Found(
                manifest=manifest, size=0, blobs=manifest.blobs, extra_attrs={}, pushed_at=time
            )
        return True

    def _read_children(self, index: Index, time: datetime, depth: int) -> None:
        children = dict.fromkeys(child.digest for child in index.children)
        known = known_digests(self._session, self._repository, children)
        if depth < MAX_DEPTH:
            for child in children:
                if child not in known:
                    self._read(child, time, depth + 1)

    def _measure(self, manifest: Manifest, time: datetime) -> Found:
        parts = (manifest.config, *manifest.layers)
        stored = stored_sizes(self._session, self._registry, self._repository, manifest)
        return Found(
            manifest=manifest,
            size=manifest.length + sum(stored.get(part.digest, 0) for part in parts),
            blobs={**stored, manifest.digest: manifest.length},
            extra_attrs=self._attributes(manifest, stored.get(manifest.config.digest)),
            pushed_at=time,
        )

    def _attributes(self, manifest: Manifest, size: int | None) -> dict[str, Any]:
        """Attributes out of the configuration; none where it is too long, missing or no JSON."""
        if size is None or not 0 < size <= CONFIG_LIMIT or not manifest.config.media_type.endswith("json"):
            return {}
        try:
            body = self._registry.blob(self._repository, manifest.config.digest, limit=CONFIG_LIMIT)
            if body is None:
                return {}
            return image_attributes(parse_image_config(body)) if is_image(manifest) else other_attributes(body)
        except (UnreadableManifest, RegistryRefused):
            return {}
