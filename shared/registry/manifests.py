"""Manifests, indexes and image configurations as values: pure parsing of what the registry stores.

Specifications: OCI image 1.1, Docker image manifest v2 schema 2. Foreign text is cut to what a catalogue needs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from shared.errors import BreakwaterError
from shared.names import Digest
from shared.registry.errors import UnreadableManifest

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
DOCKER_IMAGE_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"

DOCKER_FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
FOREIGN_TYPES: Final = frozenset(
    {
        DOCKER_FOREIGN,
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
"""Layers that are not to be carried about: registries take a manifest that says where they can be fetched."""

INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGE_CONFIG_TYPES: Final = frozenset({OCI_IMAGE_CONFIG, DOCKER_IMAGE_CONFIG})
ACCEPT: Final = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}"

SCHEMA_VERSION: Final = 2
"""Of every manifest and index of OCI."""
MANIFEST_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a manifest: what the gate lets in and the registry stores."""
CONFIG_LIMIT: Final = 1024 * 1024
"""Bytes of a configuration that are worth reading; a larger one is catalogued without its attributes."""
THROWAWAY: Final = "io.breakwater.tag-deletion"
"""Annotation of the empty index that takes a tag off its artifact on registry 2.8."""

_TEXT_LIMIT = 256
_ANNOTATION_LIMIT = 4096
_ANNOTATIONS = 64
_MAX_SIZE = 2**53


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What a child of an index runs on."""

    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Descriptor:
    """A pointer to content: media type, digest and size."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    is_elsewhere: bool = False
    """Whether it tells where else the content can be fetched (`urls`): a registry need not hold it then."""

    @property
    def is_foreign(self) -> bool:
        """Whether it stays where it is: it is fetched from there, and not pushed."""
        return self.is_elsewhere and self.media_type in FOREIGN_TYPES


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """One artifact: a configuration and its layers."""

    media_type: str
    digest: Digest
    length: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str
    annotations: Mapping[str, str]
    subject: Descriptor | None

    @property
    def size(self) -> int:
        """Bytes of manifest, configuration and layers."""
        return self.length + self.config.size + sum(layer.size for layer in self.layers)

    @property
    def parts(self) -> frozenset[Digest]:
        """The blobs it is made of."""
        return frozenset(part.digest for part in (self.config, *self.layers))

    @property
    def blobs(self) -> dict[Digest, int]:
        """Everything it needs in storage, itself included, each once."""
        parts = {part.digest: part.size for part in (self.config, *self.layers)}
        return {**parts, self.digest: self.length}


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """Several artifacts under one digest, one a platform."""

    media_type: str
    digest: Digest
    length: int
    children: tuple[Descriptor, ...]
    artifact_type: str
    annotations: Mapping[str, str]
    subject: Descriptor | None

    @property
    def blobs(self) -> dict[Digest, int]:
        """The index itself; its children keep their own account."""
        return {self.digest: self.length}

    @property
    def stands_in_for(self) -> UUID | None:
        """The deletion for which it claims to stand in; anybody may push such a claim."""
        try:
            return None if self.children else UUID(self.annotations[THROWAWAY])
        except (KeyError, ValueError):
            return None


Stored: TypeAlias = Manifest | Index


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageConfig:
    """What a catalogue shows of an image's configuration."""

    architecture: str = ""
    os: str = ""
    author: str = ""
    created: datetime | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()


def parse(body: bytes, media_type: str) -> Stored:
    """Read a manifest by the media type it was stored with. Raises UnreadableManifest."""
    if len(body) > MANIFEST_LIMIT:
        raise UnreadableManifest(f"the manifest is larger than {MANIFEST_LIMIT} bytes")
    content = _object(body)
    declared = bare(media_type) or _text(content.get("mediaType"))
    digest = Digest.of(body)
    shared: dict[str, Any] = {
        "media_type": declared,
        "digest": digest,
        "length": len(body),
        "artifact_type": _text(content.get("artifactType")),
        "annotations": _annotations(content.get("annotations")),
        "subject": _descriptor(content["subject"]) if content.get("subject") else None,
    }
    if declared in INDEX_TYPES:
        return Index(children=_descriptors(content.get("manifests")), **shared)
    if declared in {OCI_MANIFEST, DOCKER_MANIFEST}:
        return Manifest(
            config=_descriptor(content.get("config")), layers=_descriptors(content.get("layers")), **shared
        )
    raise UnreadableManifest(f"a manifest of the type {declared[:80]!r} is not catalogued")


def bare(media_type: str) -> str:
    """A media type without parameters."""
    return media_type.partition(";")[0].strip()[:_TEXT_LIMIT]


def parse_image_config(body: bytes) -> ImageConfig:
    """Read an image's configuration; a field of an unexpected form is passed over. Raises UnreadableManifest."""
    content = _object(body)
    config, history = content.get("config"), content.get("history")
    return ImageConfig(
        architecture=_text(content.get("architecture")),
        os=_text(content.get("os")),
        author=_text(content.get("author")),
        created=_moment(content.get("created")),
        config=config if isinstance(config, dict) else {},
        history=tuple(step for step in history if isinstance(step, dict)) if isinstance(history, list) else (),
    )


def throwaway(deletion: UUID) -> bytes:
    """An index of nothing, unique by its annotation: it needs no blob, and takes a tag with it when it is deleted."""
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {THROWAWAY: str(deletion)}}
    return json.dumps(content, separators=(",", ":")).encode()


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableManifest("the manifest is not JSON") from error
    if not isinstance(content, dict):
        raise UnreadableManifest("the manifest is not a JSON object")
    return content


def _descriptors(value: object) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise UnreadableManifest("a list of descriptors is not a list")
    return tuple(_descriptor(item) for item in value)


def _descriptor(value: object) -> Descriptor:
    if not isinstance(value, dict):
        raise UnreadableManifest("a descriptor is not an object")
    size = value.get("size")
    if type(size) is not int or not 0 <= size <= _MAX_SIZE:
        raise UnreadableManifest("a descriptor's size is not a number of bytes")
    try:
        digest = Digest.parse(str(value.get("digest")))
    except BreakwaterError as error:
        raise UnreadableManifest("a descriptor's digest is not a digest") from error
    return Descriptor(
        media_type=bare(_text(value.get("mediaType"))),
        digest=digest,
        size=size,
        platform=_platform(value.get("platform")),
        annotations=_annotations(value.get("annotations")),
        is_elsewhere=bool(value.get("urls")),
    )


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    features = value.get("os.features")
    return Platform(
        architecture=_text(value.get("architecture")),
        os=_text(value.get("os")),
        variant=_text(value.get("variant")) or None,
        os_version=_text(value.get("os.version")) or None,
        os_features=tuple(map(_text, features[:_ANNOTATIONS])) if isinstance(features, list) else (),
    )


def _annotations(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    pairs = [(name, text) for name, text in value.items() if isinstance(text, str)]
    return {_clean(name, _TEXT_LIMIT): _clean(text, _ANNOTATION_LIMIT) for name, text in pairs[:_ANNOTATIONS]}


def _text(value: object) -> str:
    return _clean(value, _TEXT_LIMIT) if isinstance(value, str) else ""


def _clean(text: str, limit: int) -> str:
    """Without what a jsonb column cannot hold: NUL and lone surrogates."""
    return text[:limit].replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _moment(value: object) -> datetime | None:
    """An RFC 3339 time; more digits than microseconds are cut."""
    if not isinstance(value, str):
        return None
    head, dot, tail = value.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    try:
        moment = datetime.fromisoformat(f"{head}{dot}{tail[:min(digits, 6)]}{tail[digits:]}")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
