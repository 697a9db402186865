"""What the registry holds of a repository, as it was seen, and what that changed in the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.errors import BreakwaterError
from shared.names import Digest, RepositoryName, TagName
from shared.registry.manifests import Stored


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A manifest that the catalogue does not have yet, read in full."""

    manifest: Stored
    size: int
    """Of manifest, configuration and layers; zero for an index, whose children are summed when it is recorded."""
    blobs: Mapping[Digest, int]
    """What it needs in storage, with the sizes that the registry has measured."""
    extra_attrs: Mapping[str, Any]
    pushed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class TagState:
    """What a tag names, or nothing, since when as far as is known."""

    digest: Digest | None
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A manifest or tag of which nothing could be learned, or nothing that a catalogue holds."""

    repository: RepositoryName
    reference: TagName | Digest
    error: BreakwaterError
    """RegistryRefused where the registry cannot give it, UnreadableManifest where it is of no known form."""

    def __str__(self) -> str:
        """As clients write it."""
        return f"{self.repository}{'@' if isinstance(self.reference, Digest) else ':'}{self.reference}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """The registry's state of some manifests and tags of one repository, taken under the repository's lock."""

    repository: RepositoryName
    found: tuple[Found, ...] = ()
    """Not in the catalogue yet; children come before the index that needs them."""
    gone: frozenset[Digest] = frozenset()
    """Not in the registry any more; the catalogue may never have had them."""
    there: frozenset[Digest] = frozenset()
    """In the catalogue already, and in the registry still."""
    tags: Mapping[TagName, TagState] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    """What the catalogue says of these is left as it is where the registry refused them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TagChange:
    """A tag and the manifest it names or named."""

    tag: TagName
    digest: Digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What the catalogue did not know before."""

    project_id: int | None
    """None where the project does not exist."""
    added: tuple[Found, ...] = ()
    removed: tuple[Digest, ...] = ()
    tags_set: tuple[TagChange, ...] = ()
    tags_removed: tuple[TagChange, ...] = ()
    unread: tuple[Unread, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.added or self.removed or self.tags_set or self.tags_removed)
