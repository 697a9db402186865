"""What is read out of manifests and configurations, and what is refused."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.names import Digest
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    MANIFEST_LIMIT,
    OCI_INDEX,
    OCI_MANIFEST,
    THROWAWAY,
    Index,
    Manifest,
    parse,
    parse_image_config,
    throwaway,
)

DIGEST = "sha256:" + "a" * 64


def descriptor(**changes: object) -> dict[str, Any]:
    return {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": DIGEST, "size": 5} | changes


def manifest(**changes: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": descriptor(size=3), "layers": [descriptor()]} | changes).encode()


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST, f"{OCI_MANIFEST}; charset=utf-8"])
def test_a_manifest_has_its_own_digest_and_the_sum_of_sizes(media_type: str) -> None:
    body = manifest()
    read = parse(body, media_type)
    assert isinstance(read, Manifest)
    assert read.digest == Digest.of(body)
    assert read.size == len(body) + 3 + 5
    assert read.media_type == media_type.partition(";")[0]


def test_a_repeated_layer_is_summed_twice_and_stored_once() -> None:
    body = manifest(layers=[descriptor(), descriptor()])
    read = parse(body, OCI_MANIFEST)
    assert isinstance(read, Manifest)
    assert read.size == len(body) + 3 + 5 + 5
    assert len(read.blobs) == 2


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_keeps_its_childrens_platforms(media_type: str) -> None:
    platform = {"architecture": "arm64", "os": "linux", "variant": "v8", "os.version": "1", "os.features": ["x", 5]}
    body = json.dumps({"manifests": [descriptor(platform=platform), descriptor()]}).encode()
    read = parse(body, media_type)
    assert isinstance(read, Index)
    first, second = read.children
    assert first.platform is not None
    assert (first.platform.architecture, first.platform.variant, first.platform.os_version) == ("arm64", "v8", "1")
    assert first.platform.os_features == ("x", "")
    assert second.platform is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        manifest(config=None),
        manifest(layers={}),
        manifest(layers=[5]),
        manifest(layers=[descriptor(size=-1)]),
        manifest(layers=[descriptor(size=2**53 + 1)]),
        manifest(layers=[descriptor(size=True)]),
        manifest(layers=[descriptor(size="5")]),
        manifest(layers=[descriptor(digest="sha256:short")]),
        manifest(layers=[descriptor(digest=None)]),
        b" " * (MANIFEST_LIMIT + 1),
        b'{"config": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableManifest):
        parse(body, OCI_MANIFEST)


def test_a_manifest_of_an_unknown_type_is_refused() -> None:
    with pytest.raises(UnreadableManifest, match=r"manifest\.v1\+prettyjws' is not catalogued"):
        parse(manifest(), "application/vnd.docker.distribution.manifest.v1+prettyjws")


def test_annotations_are_cut_and_made_storable() -> None:
    annotations = {"a": "x\x00y", "b" * 999: "c" * 9_999, "number": 5} | {f"k{n}": "v" for n in range(200)}
    read = parse(manifest(annotations=annotations), OCI_MANIFEST)
    assert read.annotations["a"] == "x\N{REPLACEMENT CHARACTER}y"
    assert read.annotations["b" * 256] == "c" * 4096
    assert "number" not in read.annotations
    assert len(read.annotations) == 64


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T05:04:05.5+02:00", datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),
        ("yesterday", None),
        ("", None),
        (5, None),
    ],
)
def test_the_time_of_an_image_is_read_in_every_form(created: object, expected: datetime | None) -> None:
    assert parse_image_config(json.dumps({"created": created}).encode()).created == expected


def test_fields_of_a_wrong_form_are_passed_over() -> None:
    read = parse_image_config(b'{"architecture": 1, "os": null, "config": [], "history": [1, {"created_by": "x"}]}')
    assert (read.architecture, read.os, read.config, read.history) == ("", "", {}, ({"created_by": "x"},))


def test_a_throwaway_says_which_deletion_it_stands_for() -> None:
    deletion = uuid4()
    read = parse(throwaway(deletion), OCI_INDEX)
    assert isinstance(read, Index)
    assert read.stands_in_for == deletion


@pytest.mark.parametrize(
    "content",
    [
        {"manifests": []},
        {"manifests": [], "annotations": {THROWAWAY: "x"}},
        {"manifests": [descriptor()], "annotations": {THROWAWAY: str(uuid4())}},
    ],
)
def test_another_index_stands_for_nothing(content: dict[str, Any]) -> None:
    read = parse(json.dumps(content).encode(), OCI_INDEX)
    assert isinstance(read, Index)
    assert read.stands_in_for is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(["config", "layers", "manifests", "annotations", "subject", "mediaType", "artifactType"])


@given(content=st.dictionaries(fields, json_values), media_type=st.sampled_from([OCI_MANIFEST, OCI_INDEX, ""]))
def test_whatever_is_pushed_is_read_or_refused(content: dict[str, Any], media_type: str) -> None:
    with suppress(UnreadableManifest):
        parse(json.dumps(content).encode(), media_type)


@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_configuration_is_pushed_is_read_or_refused(body: bytes) -> None:
    with suppress(UnreadableManifest):
        parse_image_config(body)
