"""Referrers: manifests that are about another one, such as signatures and bills of materials.

Specification: OCI distribution 1.1, listing referrers; OCI image 1.1, the guidelines on artifact types.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.names import Digest
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import Index, Stored, parse


@dataclass(frozen=True, kw_only=True, slots=True)
class Referrer:
    """A manifest whose subject is another one, as a list of referrers describes it."""

    digest: str
    media_type: str
    size: int
    """Bytes of the manifest itself."""
    artifact_type: str
    """Empty only for an index that declares none."""
    annotations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Referrers:
    """A part of a list of referrers, in the order of their digests."""

    records: list[Referrer]
    after: str | None
    """The digest behind which the list goes on; None at its end."""


def referrer_of(manifest: Stored) -> Referrer:
    """The description of a manifest; the type of one that declares none is its configuration's."""
    own = "" if isinstance(manifest, Index) else manifest.config.media_type
    return Referrer(
        digest=manifest.digest.text,
        media_type=manifest.media_type,
        size=manifest.length,
        artifact_type=manifest.artifact_type or own,
        annotations=manifest.annotations,
    )


def subject_of(body: bytes, media_type: str) -> Digest | None:
    """What a manifest is about; nothing where it says so or cannot be read."""
    try:
        subject = parse(body, media_type).subject
    except UnreadableManifest:
        return None
    return subject.digest if subject else None
