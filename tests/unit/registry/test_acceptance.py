"""What a manifest may say of a layer that is elsewhere."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.acceptance import refuse_what_cannot_be_stored
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.clients.images import DOCKER_FOREIGN, OCI_FOREIGN, OCI_LAYER, make_foreign

FETCHED = [
    "https://layers.test/a",
    "http://layers.test",
    "HTTPS://Layers.Test:8443/a/b?c=d%20e&f",
    "http://192.0.2.7:80/?x",
    "http://[2001:db8::7]/a",
    "https://layers.test/~u/a_b-c.tar.gz",
]
NOT_FETCHED = [
    "",
    "layers.test/a",
    "//layers.test/a",
    "ftp://layers.test/a",
    "file:///etc/passwd",
    "https://",
    "https:///a",
    "https://user:secret@layers.test/a",
    "https://layers.test/a#b",
    "https://layers.test/%zz",
    "https://layers.test/%2",
    "https://lay ers.test/a",
    "https://layers.test/a b",
    "https://layers.test/\x7f",
    "https://layers.test/\n",
    "https://layers.test:port/a",
    "https://layers.test\\a",
]


def check(urls: object, *, layer_type: str = OCI_FOREIGN, manifest_type: str = OCI_MANIFEST) -> None:
    image = make_foreign("one", layer_type=layer_type, manifest_type=manifest_type, urls=urls)
    refuse_what_cannot_be_stored(image.manifest.content, f"{manifest_type}; charset=utf-8")


@pytest.mark.parametrize("manifest_type", [OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("layer_type", [OCI_FOREIGN, DOCKER_FOREIGN, OCI_LAYER])
@pytest.mark.parametrize("url", FETCHED)
def test_a_layer_may_be_anywhere_on_the_web(url: str, layer_type: str, manifest_type: str) -> None:
    check([url, FETCHED[0]], layer_type=layer_type, manifest_type=manifest_type)


@pytest.mark.parametrize("manifest_type", [OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("layer_type", [OCI_FOREIGN, DOCKER_FOREIGN, OCI_LAYER])
@pytest.mark.parametrize("url", NOT_FETCHED)
def test_no_client_is_sent_anywhere_else(url: str, layer_type: str, manifest_type: str) -> None:
    with pytest.raises(UnreadableManifest, match=r"the layer sha256:[0-9a-f]{64} cannot be fetched from"):
        check([FETCHED[0], url], layer_type=layer_type, manifest_type=manifest_type)


def test_a_long_address_is_cut_in_the_sentence() -> None:
    with pytest.raises(UnreadableManifest) as refusal:
        check(["ftp://" + "a" * 10_000])
    assert len(refusal.value.sentence) < 500


@pytest.mark.parametrize("urls", [None, []])
def test_dockers_foreign_layer_says_where_it_is(urls: object) -> None:
    with pytest.raises(UnreadableManifest, match="must say in urls where it can be fetched"):
        check(urls, layer_type=DOCKER_FOREIGN)


@pytest.mark.parametrize("urls", [None, [], "https://layers.test/a", [5], {"a": 1}])
def test_what_the_registry_refuses_itself_is_left_to_it(urls: object) -> None:
    check(urls)


def test_an_index_has_no_layers() -> None:
    body = json.dumps({"schemaVersion": 2, "manifests": [], "layers": [{"urls": ["ftp://a"]}]}).encode()
    refuse_what_cannot_be_stored(body, OCI_INDEX)


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX])
@pytest.mark.parametrize("version", ["1", "3", "null", '"2"'])
def test_oci_has_one_schema_version(version: str, media_type: str) -> None:
    with pytest.raises(UnreadableManifest, match="schemaVersion 2"):
        refuse_what_cannot_be_stored(f'{{"schemaVersion": {version}}}'.encode(), media_type)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda each: st.lists(each) | st.dictionaries(
    st.sampled_from(["layers", "config", "urls", "mediaType", "digest", "schemaVersion"]), each
)))  # fmt: skip
def test_no_form_of_a_manifest_breaks_the_check(content: object) -> None:
    for media_type in (OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, "text/plain"):
        with suppress(UnreadableManifest):
            refuse_what_cannot_be_stored(json.dumps(content).encode(), media_type)
