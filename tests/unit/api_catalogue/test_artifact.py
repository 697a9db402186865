"""What kind of thing a manifest is."""

import pytest

from services.api.domain.artifact import media_type_of, type_of
from shared.names import Digest
from shared.registry.manifests import (
    DOCKER_IMAGE_CONFIG,
    OCI_EMPTY,
    OCI_IMAGE_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
)


def manifest(config: str, *, artifact_type: str = "", annotations: dict[str, str] | None = None) -> Manifest:
    return Manifest(
        media_type=OCI_MANIFEST,
        digest=Digest.of(b""),
        length=0,
        config=Descriptor(media_type=config, digest=Digest.of(b""), size=2),
        layers=(),
        artifact_type=artifact_type,
        annotations=annotations or {},
        subject=None,
    )


def index(annotations: dict[str, str] | None = None, artifact_type: str = "") -> Index:
    return Index(
        media_type=OCI_INDEX,
        digest=Digest.of(b""),
        length=0,
        children=(),
        artifact_type=artifact_type,
        annotations=annotations or {},
        subject=None,
    )


@pytest.mark.parametrize(
    ("made", "kind", "media_type"),
    [
        (manifest(OCI_IMAGE_CONFIG), "IMAGE", OCI_IMAGE_CONFIG),
        (manifest(DOCKER_IMAGE_CONFIG), "IMAGE", DOCKER_IMAGE_CONFIG),
        (manifest("application/vnd.cncf.helm.config.v1+json"), "CHART", "application/vnd.cncf.helm.config.v1+json"),
        (manifest("application/vnd.wasm.config.v1+json"), "WASM", "application/vnd.wasm.config.v1+json"),
        (manifest(OCI_IMAGE_CONFIG, annotations={"module.wasm.image/variant": "compat"}), "WASM", OCI_IMAGE_CONFIG),
        (manifest("application/vnd.acme.big.rocket.config.v1+json"), "BIG.ROCKET",
         "application/vnd.acme.big.rocket.config.v1+json"),
        (manifest(OCI_EMPTY, artifact_type="application/vnd.acme.rocket.config.v1"), "ROCKET",
         "application/vnd.acme.rocket.config.v1"),
        (manifest(OCI_EMPTY), "UNKNOWN", OCI_EMPTY),
        (manifest("text/plain"), "UNKNOWN", "text/plain"),
        (index(), "IMAGE", OCI_INDEX),
        (index({"io.cnab.runtime_version": "1"}), "CNAB", OCI_INDEX),
        (index(artifact_type="application/vnd.acme"), "IMAGE", "application/vnd.acme"),
    ],
)  # fmt: skip
def test_a_manifest_tells_its_type(made: Manifest | Index, kind: str, media_type: str) -> None:
    assert (type_of(made), media_type_of(made)) == (kind, media_type)
