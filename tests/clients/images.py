"""Makes OCI images, indexes and other artifacts in memory, byte for byte the same for the same seed.

Layers are real gzipped tarballs, so that an engine can unpack what it pulls; their content does not compress,
so that sizes are honest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
OCI_FOREIGN: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
DOCKER_FOREIGN: Final = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED: Final = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)


def digest_of(content: bytes) -> str:
    """The sha256 digest in the form that manifests use."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Blob:
    """One blob with the descriptor that a manifest needs for it."""

    content: bytes = field(repr=False)
    media_type: str
    digest: str

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Blob:
        return cls(content=content, media_type=media_type, digest=digest_of(content))

    @property
    def descriptor(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "size": len(self.content), "digest": self.digest}


@dataclass(frozen=True, kw_only=True)
class Image:
    """A manifest, its config and its layers, in the order they are pushed."""

    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def size(self) -> int:
        """Manifest, config and layers: what Harbor's API calls an artifact's size."""
        return sum(len(blob.content) for blob in (self.manifest, self.config, *self.layers))

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return (*self.layers, self.config)


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index and the images it lists."""

    manifest: Blob
    images: tuple[Image, ...]

    @property
    def digest(self) -> str:
        return self.manifest.digest


def _layer(seed: str, number: int, size: int) -> tuple[Blob, str]:
    """A gzipped tarball of one file of `size` random bytes, and the digest of the tarball inside."""
    content = random.Random(f"{seed}/{number}").randbytes(size)
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo(f"layer-{number}")
        member.size = size
        archive.addfile(member, io.BytesIO(content))
    plain = tarball.getvalue()
    return Blob.of(gzip.compress(plain, compresslevel=0, mtime=0), OCI_LAYER), digest_of(plain)


def make_image(
    seed: str,
    *,
    layers: int = 1,
    layer_size: int = 512,
    architecture: str = "amd64",
    annotations: Mapping[str, str] | None = None,
    artifact_type: str | None = None,
    base: Image | None = None,
) -> Image:
    """An OCI image; another seed gives other digests throughout. `artifact_type` replaces the config's media type.

    On a `base` it has that image's layers below its own.
    """
    made = [_layer(seed, number, layer_size) for number in range(layers)]
    if base is not None:
        below = json.loads(base.config.content)["rootfs"]["diff_ids"]
        made = [*zip(base.layers, below, strict=True), *made]
    config = {
        "created": "2026-01-02T03:04:05Z",
        "author": "tests",
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/true"], "Labels": {"seed": seed}},
        "rootfs": {"type": "layers", "diff_ids": [plain for _, plain in made]},
        "history": [{"created": "2026-01-02T03:04:05Z", "created_by": f"layer {each}"} for each in range(len(made))],
    }
    config_blob = Blob.of(json.dumps(config).encode(), artifact_type or OCI_CONFIG)
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config_blob.descriptor,
        "layers": [blob.descriptor for blob, _ in made],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    return Image(
        manifest=Blob.of(json.dumps(manifest).encode(), OCI_MANIFEST),
        config=config_blob,
        layers=tuple(blob for blob, _ in made),
    )


def make_foreign(
    seed: str,
    *,
    layer_type: str = OCI_FOREIGN,
    manifest_type: str = OCI_MANIFEST,
    urls: object = ("https://layers.test/base",),
) -> Image:
    """An image whose first layer is elsewhere: its manifest says where, and nobody pushes it.

    `urls` is what the layer's descriptor says; None leaves it out.
    """
    image = make_image(seed)
    content = json.loads(image.manifest.content) | {"mediaType": manifest_type}
    absent = {"mediaType": layer_type, "size": 1_000_000, "digest": digest_of(f"elsewhere/{seed}".encode())}
    content["layers"].insert(0, absent if urls is None else absent | {"urls": urls})
    return replace(image, manifest=Blob.of(json.dumps(content).encode(), manifest_type))


def make_referrer(
    subject: Blob,
    *,
    artifact_type: str = "application/vnd.example.signature",
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """An artifact without layers of its own that is about another manifest."""
    empty = Blob.of(b"{}", OCI_EMPTY)
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": empty.descriptor,
        "layers": [empty.descriptor],
        "subject": subject.descriptor,
        "annotations": dict(annotations or {}),
    }
    return Image(manifest=Blob.of(json.dumps(manifest).encode(), OCI_MANIFEST), config=empty, layers=())


def make_index(seed: str, *, architectures: Sequence[str] = ("amd64", "arm64"), layer_size: int = 512) -> Index:
    """An OCI index of one image for each architecture."""
    images = tuple(make_image(f"{seed}/{name}", layer_size=layer_size, architecture=name) for name in architectures)
    listed = [
        {**image.manifest.descriptor, "platform": {"architecture": name, "os": "linux"}}
        for image, name in zip(images, architectures, strict=True)
    ]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
    return Index(manifest=Blob.of(json.dumps(index).encode(), OCI_INDEX), images=images)


def _blobs(made: Image | Index) -> Iterator[Blob]:
    images = made.images if isinstance(made, Index) else (made,)
    for image in images:
        yield from image.blobs
        yield image.manifest
    if isinstance(made, Index):
        yield made.manifest


def write_layout(folder: Path, tagged: Mapping[str, Image | Index]) -> Path:
    """Writes an OCI image layout that holds each image or index under its tag; returns the folder."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    listed = []
    for tag, made in tagged.items():
        for blob in _blobs(made):
            (blobs / blob.digest.removeprefix("sha256:")).write_bytes(blob.content)
        listed.append({**made.manifest.descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    return folder
