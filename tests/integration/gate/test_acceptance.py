"""Which manifests the gate passes on, and what it says of the others: the registry's own answer would be a 500."""

from __future__ import annotations

import json

import pytest

from shared.names import Digest, RepositoryName
from shared.registry.manifests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX
from tests.clients.images import DOCKER_FOREIGN, OCI_FOREIGN, OCI_LAYER, OCI_MANIFEST, Blob, make_foreign
from tests.integration.gate.conftest import Expected
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens


def test_a_manifest_of_more_than_four_mebibytes_is_refused(app: str, pusher: Pusher, expected: Expected) -> None:
    huge = Blob.of(b" " * (4 * 2**20 + 1), OCI_MANIFEST)
    answer = pusher.put_manifest(app, "v1", huge)
    assert answer.status == 413
    assert json.loads(answer.body)["errors"][0] == {
        "code": "SIZE_INVALID",
        "message": "the manifest is larger than 4 MiB",
    }
    assert expected.rows() == []


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST])
@pytest.mark.parametrize(
    "body", [b"{}", b"null", b"[]", b"nonsense", b'{"schemaVersion": 1}', b'{"schemaVersion": 3}',
             b'{"schemaVersion": null}', b'{"schemaVersion": "2"}', b"[" * 10_000],
)  # fmt: skip
def test_what_is_no_manifest_is_a_400_and_leaves_nothing_open(
    app: str, pusher: Pusher, expected: Expected, media_type: str, body: bytes
) -> None:
    answer = pusher.put_manifest(app, "v1", Blob.of(body, media_type))
    assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (400, "MANIFEST_INVALID")
    assert "open" not in [state for (state,) in expected.rows("state")]


@pytest.mark.parametrize("manifest_type", [OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("layer_type", [OCI_FOREIGN, DOCKER_FOREIGN, OCI_LAYER])
def test_a_layer_that_is_elsewhere_need_not_be_pushed(
    app: str, pusher: Pusher, registry: RegistryServer, tokens: Tokens, layer_type: str, manifest_type: str
) -> None:
    image = make_foreign("one", layer_type=layer_type, manifest_type=manifest_type)
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    answer = pusher.put_manifest(app, "v1", image.manifest)
    assert answer.status == 201, answer.body
    stored = registry.client(tokens).manifest(RepositoryName(app), Digest(image.digest))
    assert stored is not None
    assert stored.body == image.manifest.content


@pytest.mark.parametrize("manifest_type", [OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("layer_type", [OCI_FOREIGN, DOCKER_FOREIGN, OCI_LAYER])
@pytest.mark.parametrize("urls", [["ftp://layers.test/a"], ["https://layers.test/a#b"], ["https://a b/"], "a", [5], []])
def test_a_layer_without_an_address_where_it_can_be_fetched_is_a_400_and_leaves_nothing_open(
    app: str, pusher: Pusher, expected: Expected, layer_type: str, manifest_type: str, urls: object
) -> None:
    image = make_foreign("one", layer_type=layer_type, manifest_type=manifest_type, urls=urls)
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    answer = pusher.put_manifest(app, "v1", image.manifest)
    (error,) = json.loads(answer.body)["errors"]
    assert (answer.status, error["code"]) in {(400, "MANIFEST_INVALID"), (400, "MANIFEST_BLOB_UNKNOWN")}
    assert "open" not in [state for (state,) in expected.rows("state")]
