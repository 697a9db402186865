"""The smallest image that means something: one layer with one file, made here, the same each time."""

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from hashlib import sha256

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_GREETING = b"Breakwater is up.\n"


@dataclass(frozen=True, kw_only=True)
class Image:
    """An OCI image in memory."""

    config: bytes
    layer: bytes
    manifest: bytes

    @property
    def blobs(self) -> tuple[bytes, bytes]:
        """What has to be there before the manifest."""
        return self.config, self.layer


def digest(content: bytes) -> str:
    """The name of content in a registry."""
    return f"sha256:{sha256(content).hexdigest()}"


def tiny_image() -> Image:
    """An image that holds a greeting."""
    tar = _tar()
    layer = gzip.compress(tar, mtime=0)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2000-01-01T00:00:00Z",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
            "history": [{"created": "2000-01-01T00:00:00Z", "created_by": "breakwater tour"}],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": digest(config)},
            "layers": [{"mediaType": LAYER_TYPE, "size": len(layer), "digest": digest(layer)}],
        }
    )
    return Image(config=config, layer=layer, manifest=manifest)


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        file = tarfile.TarInfo("greeting.txt")
        file.size = len(_GREETING)
        tar.addfile(file, io.BytesIO(_GREETING))
    return stream.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
