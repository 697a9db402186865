"""An artifact as a whole: the manifests under it, each once, in the order in which a registry takes them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.replication.domain.task import Fault
from services.replication.ends import Content, End
from services.replication.errors import AttemptFailed
from shared.names import Digest
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import Descriptor, Index, Manifest, parse

Referring = Callable[[str, Digest], Sequence[Digest]]
"""What refers to a manifest of a repository: signatures, SBOMs."""

MOST_MANIFESTS: Final = 2_000
"""Under one artifact: more than any real index has, and a limit for what is made to go on for ever."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A manifest of an artifact, with the blobs it stands on."""

    content: Content
    blobs: tuple[Descriptor, ...]
    subject: Digest | None
    names_others: bool = False
    """Whether it names blobs that may be elsewhere, which not every registry takes."""


def subject_of(content: Content) -> Digest | None:
    """What a manifest refers to, None where it refers to nothing or cannot be read."""
    try:
        subject = parse(content.body, content.media_type).subject
    except UnreadableManifest:
        return None
    return subject.digest if subject else None


def parts_of(source: End, repository: str, root: Content, referring: Referring) -> list[Part]:
    """The artifact's manifests: children before their index, the artifact itself, then what refers to it.

    A child that the source itself does not hold is left out, as registries allow of an index that was copied in part.
    """
    found: dict[Digest, Part] = {}
    _collect(source, repository, root, referring, found)
    return list(found.values())


def _collect(
    source: End, repository: str, content: Content, referring: Referring, found: dict[Digest, Part]
) -> None:
    if content.digest in found:
        return
    if len(found) >= MOST_MANIFESTS:
        raise AttemptFailed(Fault.REFUSED, f"the artifact has more than {MOST_MANIFESTS} manifests")
    try:
        stored = parse(content.body, content.media_type)
    except UnreadableManifest as error:
        sentence = f"the manifest {content.digest} cannot be copied: {error.sentence}"
        raise AttemptFailed(Fault.REFUSED, sentence) from error
    if isinstance(stored, Index):
        for child in _contents(source, repository, [child.digest for child in stored.children]):
            _collect(source, repository, child, referring, found)
    subject = stored.subject.digest if stored.subject else None
    named = _named(stored)
    found[content.digest] = Part(
        content=content,
        blobs=tuple(blob for blob in named if _goes_along(source, repository, blob)),
        subject=subject,
        names_others=any(blob.is_elsewhere for blob in named),
    )
    for referrer in _contents(source, repository, referring(repository, content.digest)):
        _collect(source, repository, referrer, referring, found)


def _contents(source: End, repository: str, digests: Sequence[Digest]) -> Iterator[Content]:
    for digest in digests:
        content = source.manifest(repository, digest)
        if content is not None:
            yield content


def _named(stored: Manifest | Index) -> tuple[Descriptor, ...]:
    if isinstance(stored, Index):
        return ()
    return tuple({blob.digest: blob for blob in (stored.config, *stored.layers)}.values())


def _goes_along(source: End, repository: str, blob: Descriptor) -> bool:
    """Whether a blob has to be at the target: not a foreign layer, nor what the source itself has not."""
    return not blob.is_elsewhere or (not blob.is_foreign and source.has_blob(repository, blob.digest))
