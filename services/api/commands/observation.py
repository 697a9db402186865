"""Asking the registry what is true of a repository, and recording it: an event, or a person, only gives the hint.

The lock on the repository is held around asking and recording. What is in the catalogue already is not read again:
content has the digest of its bytes.
"""

from collections.abc import Collection, Iterable, Mapping
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
from shared.registry.at_once import MOST, ask_each
from shared.registry.client import RegistryClient, StoredManifest
from shared.registry.errors import RegistryRefused, UnreadableManifest
from shared.registry.manifests import CONFIG_LIMIT, Index, Manifest, parse, parse_image_config

MAX_DEPTH: Final = 4
"""How deep indexes may hold indexes before what is below is left out of the catalogue."""

_State = bool | RegistryRefused
"""Whether the registry has a manifest, or that it cannot give it."""


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
        states = self._read({digest: time for digest, time in wanted.items() if digest not in known})
        states |= ask_each(self._is_there, [digest for digest in known if digest not in targets])
        refused = {digest for digest, state in states.items() if isinstance(state, RegistryRefused)}
        self._unread.update((digest, state) for digest, state in states.items() if isinstance(state, RegistryRefused))
        missing = {tag for tag, digest in named.items() if digest is None}
        left = being_untagged(self._session, self._repository, missing)
        return Truth(
            repository=self._repository,
            found=tuple(self._found.values()),
            gone=frozenset(digest for digest, state in states.items() if state is False),
            there=frozenset(digest for digest in known if states.get(digest, True) is True),
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

    def _named(self, tags: Collection[TagName]) -> dict[TagName, Digest | None]:
        """What the tags name; one that the registry cannot resolve is not among them."""
        named = {}
        for tag, digest in ask_each(self._resolve, tags).items():
            if isinstance(digest, RegistryRefused):
                self._unread[tag] = digest
            else:
                named[tag] = digest
        return named

    def _resolve(self, reference: TagName | Digest) -> Digest | None:
        return self._registry.resolve(self._repository, reference)

    def _is_there(self, digest: Digest) -> bool:
        return self._resolve(digest) is not None

    def _read(self, wanted: Mapping[Digest, datetime], depth: int = 0) -> dict[Digest, _State]:
        """Find manifests and, before each, the children that the catalogue lacks; whether the registry has them.

        A few at once: many manifests together may be more than memory holds.
        """
        states: dict[Digest, _State] = {}
        digests = [*wanted]
        for start in range(0, len(digests), MOST):
            part = {digest: wanted[digest] for digest in digests[start : start + MOST]}
            states |= self._read_part(part, depth)
        return states

    def _read_part(self, wanted: Mapping[Digest, datetime], depth: int) -> dict[Digest, _State]:
        states: dict[Digest, _State] = {digest: True for digest in wanted if self._is_read(digest)}
        images: dict[Digest, Manifest] = {}
        indexes: dict[Digest, Index] = {}
        for digest, stored in ask_each(self._fetch, [digest for digest in wanted if digest not in states]).items():
            if stored is None or isinstance(stored, RegistryRefused):
                states[digest] = stored or False
                continue
            states[digest] = True
            try:
                manifest = parse(stored.body, stored.media_type)
            except UnreadableManifest as error:
                self._unread[digest] = error
            else:
                if isinstance(manifest, Index):
                    indexes[digest] = manifest
                else:
                    images[digest] = manifest
        states |= self._measure_all(images, wanted)
        for digest, index in indexes.items():
            states[digest] = self._read_index(digest, index, wanted[digest], depth)
        return states

    def _is_read(self, digest: Digest) -> bool:
        return digest in self._found or digest in self._standing_in

    def _fetch(self, digest: Digest) -> StoredManifest | None:
        return self._registry.manifest(self._repository, digest)

    def _read_index(self, digest: Digest, index: Index, time: datetime, depth: int) -> _State:
        if self._is_read(digest):
            return True
        if index.stands_in_for and is_stand_in(self._session, index.stands_in_for, digest):
            self._standing_in.add(digest)
            return True
        if depth < MAX_DEPTH:
            children = dict.fromkeys((child.digest for child in index.children), time)
            known = known_digests(self._session, self._repository, children)
            states = self._read({child: time for child in children if child not in known}, depth + 1)
            for state in states.values():
                if isinstance(state, RegistryRefused):
                    return state
        self._found[digest] = Found(manifest=index, size=0, blobs=index.blobs, extra_attrs={}, pushed_at=time)
        return True

    def _measure_all(self, images: Mapping[Digest, Manifest], times: Mapping[Digest, datetime]) -> dict[Digest, _State]:
        if not images:
            return {}
        parts = frozenset().union(*(image.parts for image in images.values()))
        known = known_sizes(self._session, self._repository, parts)

        def measure(digest: Digest) -> Found:
            return self._measure(images[digest], times[digest], known)

        states: dict[Digest, _State] = {}
        for digest, found in ask_each(measure, images).items():
            if isinstance(found, RegistryRefused):
                states[digest] = found
            else:
                self._found[digest] = found
                states[digest] = True
        return states

    def _measure(self, manifest: Manifest, time: datetime, known: Mapping[Digest, int]) -> Found:
        """The blobs with the sizes that the registry holds; a descriptor may claim anything."""
        parts = (manifest.config, *manifest.layers)
        held = {digest: known[digest] for digest in manifest.parts & known.keys()}
        stored = measured(self._registry, self._repository, manifest, held)
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
