"""What a copy needs of a registry, this one or another: the two ends of every transfer.

All calls raise AttemptFailed; none is repeated by itself. They may be made by several threads (or green threads) at
once. Repository names are any that the OCI distribution specification allows, also of one component.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from services.replication.domain.policy import ResourceKind
from services.replication.domain.retention import Placed, Retention
from shared.names import Digest, TagName
from shared.registry.manifests import Descriptor

Reference = TagName | Digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """A manifest with its bytes."""

    digest: Digest
    media_type: str
    body: bytes


class Stream(Protocol):
    """A blob that is being read."""

    def read(self, amount: int, /) -> bytes:
        """Up to `amount` bytes, none at the end. Raises AttemptFailed where it breaks off early."""


Opener = Callable[[int], AbstractContextManager[Stream]]
"""Opens a blob at an offset."""


class End(Protocol):
    """One registry, as an end of a transfer."""

    @property
    def place(self) -> str:
        """What tells this registry from all others: blobs are known by it and their digest."""

    def resolve(self, repository: str, reference: Reference) -> Digest | None:
        """The digest that a reference stands for, None where there is none."""

    def manifest(self, repository: str, reference: Reference) -> Content | None:
        """A manifest, its digest checked; None where there is none."""

    def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """What refers to a manifest: signatures, SBOMs. By the referrers API, or else by the tag that stands in."""

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository; none where there is no such repository."""

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Whether a repository holds a blob."""

    def open_blob(self, repository: str, digest: Digest, offset: int = 0) -> AbstractContextManager[Stream]:
        """Read a blob from an offset on."""

    def put_blob(
        self,
        repository: str,
        blob: Descriptor,
        source: Opener,
        *,
        chunk: int | None,
        sent: Callable[[int], None],
        held_by: str | None = None,
    ) -> bool:
        """Send a blob, in chunks of so many bytes or as one stream; broken off, it goes on where the target left off.

        False where nothing had to be sent: `held_by` is a repository of the same registry, which may be this very one,
        that is asked for the blob first.

        `sent` is called with the number of bytes after each piece that went over the wire, and may block to slow the
        transfer down. The digest is checked on the way.
        """

    def put_manifest(self, repository: str, reference: Reference, content: Content) -> None:
        """Store a manifest under a tag or its digest."""

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """Take a tag off, and no other; nothing happens where it is not there."""

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """Delete a manifest with all its tags; nothing happens where it is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An artifact as a registry lists it."""

    repository: str
    tags: tuple[str, ...]
    digest: str | None = None
    """None where the list does not tell it."""
    kind: ResourceKind = ResourceKind.IMAGE
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A label that an artifact bears."""

    name: str
    color: str = ""
    description: str = ""


class Catalogue(Protocol):
    """What a registry can tell of its content as a whole, and what has to be made before something is pushed."""

    @property
    def end(self) -> End:
        """The registry itself."""

    def check(self) -> None:
        """Whether it answers and takes the credential. Raises AttemptFailed."""

    def repositories(self, prefix: str) -> Iterator[str]:
        """The names of all repositories that begin with a text, as far as the credential sees them."""

    def artifacts(self, repository: str) -> Iterator[Found]:
        """The artifacts of a repository; one a tag where the list tells no digests."""

    def prepare(self, repository: str, *, public: bool) -> None:
        """Make what has to be there before this repository is pushed to, as a project; what is there stays as it is."""

    def label(self, repository: str, digest: Digest, labels: Sequence[Label]) -> list[str]:
        """Put on an artifact what it lacks of these labels; returns the names of those. None is taken off."""

    def retention(self, project: str) -> Placed:
        """The retention policy of a project."""

    def put_retention(self, project: str, there: Placed, wanted: Retention) -> int:
        """Put a retention policy in the place of what is there; returns its number."""
