"""Every other test trusts the image maker, so its images are checked against the OCI rules and by skopeo."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from typing import TYPE_CHECKING

from tests.clients.images import digest_of, make_image, make_index, write_layout

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_seed_makes_the_same_bytes() -> None:
    assert make_image("a", layers=3) == make_image("a", layers=3)


def test_another_seed_shares_no_blob() -> None:
    one, other = make_image("a", layers=3), make_image("b", layers=3)
    assert not {blob.digest for blob in one.blobs} & {blob.digest for blob in other.blobs}


def test_every_descriptor_is_true() -> None:
    image = make_image("a", layers=2)
    named = json.loads(image.manifest.content)
    for blob, descriptor in zip(image.layers, named["layers"], strict=True):
        assert descriptor["digest"] == digest_of(blob.content)
        assert descriptor["size"] == len(blob.content)
    assert named["config"]["digest"] == digest_of(image.config.content)


def test_diff_ids_are_the_digests_of_the_unpacked_layers() -> None:
    image = make_image("a", layers=2)
    unpacked = [digest_of(gzip.decompress(blob.content)) for blob in image.layers]
    assert json.loads(image.config.content)["rootfs"]["diff_ids"] == unpacked


def test_a_layer_is_a_tarball_of_the_size_asked_for() -> None:
    (layer,) = make_image("a", layer_size=10_000).layers
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer.content))) as archive:
        assert [member.size for member in archive.getmembers()] == [10_000]


def test_an_index_lists_one_image_for_each_architecture() -> None:
    index = make_index("a", architectures=("amd64", "arm64", "s390x"))
    listed = json.loads(index.manifest.content)["manifests"]
    assert [entry["platform"]["architecture"] for entry in listed] == ["amd64", "arm64", "s390x"]
    assert [entry["digest"] for entry in listed] == [image.digest for image in index.images]


def test_skopeo_reads_a_written_layout(tmp_path: Path) -> None:
    image = make_image("a", layers=2)
    layout = write_layout(tmp_path / "layout", {"v1": image, "multi": make_index("b")})
    done = subprocess.run(
        ["skopeo", "inspect", "--format", "{{.Digest}}", f"oci:{layout}:v1"],
        capture_output=True, text=True, check=True, timeout=30,
    )
    assert done.stdout.strip() == image.digest
