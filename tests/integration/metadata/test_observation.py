"""What is pushed, moved and deleted at the registry, as the catalogue sees it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.queries.artifact import get_artifact
from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import OCI_INDEX, OCI_MANIFEST, Blob, Image, make_image, make_index
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer

APP = "library/app"


def test_an_image_is_catalogued_whole(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one", layers=3, annotations={"org.opencontainers.image.title": "one"})
    pusher.push(APP, "v1", image)
    catalogue.observe(APP, image.digest, "v1")
    with catalogue.sessions() as session:
        artifact = get_artifact(session, RepositoryName(APP), TagName("v1"))
    assert artifact.digest == image.digest
    assert artifact.type == "IMAGE"
    assert artifact.media_type == "application/vnd.oci.image.config.v1+json"
    assert artifact.manifest_media_type == OCI_MANIFEST
    assert artifact.size == image.size
    assert artifact.annotations == {"org.opencontainers.image.title": "one"}
    assert artifact.extra_attrs["architecture"] == "amd64"
    assert artifact.extra_attrs["os"] == "linux"
    assert artifact.extra_attrs["author"] == "tests"
    assert artifact.extra_attrs["created"] == "2026-01-02T03:04:05Z"
    assert artifact.extra_attrs["config"]["Cmd"] == ["/bin/true"]
    assert [tag.name for tag in artifact.tags] == ["v1"]
    assert catalogue.rows("SELECT name, artifact_count FROM core.repositories") == [(APP, 1)]


def test_an_index_lists_itself_and_hides_its_children(catalogue: Catalogue, pusher: Pusher) -> None:
    index = make_index("many", architectures=("amd64", "arm64", "s390x"))
    pusher.push(APP, "v1", index)
    catalogue.observe(APP, index.digest, "v1")
    assert catalogue.digests(APP, listed=True) == {index.digest}
    assert catalogue.digests(APP, listed=False) == {image.digest for image in index.images}
    with catalogue.sessions() as session:
        artifact = get_artifact(session, RepositoryName(APP), Digest(index.digest))
    assert artifact.size == sum(image.size for image in index.images)
    assert [child.platform for child in artifact.references] == [
        {"architecture": name, "os": "linux"} for name in ("amd64", "arm64", "s390x")
    ]
    assert all(child.child_id for child in artifact.references)


def test_the_order_of_events_makes_no_difference(catalogue: Catalogue, pusher: Pusher) -> None:
    index = make_index("many")
    pusher.push(APP, "v1", index)
    for reference in ("v1", index.images[1].digest, index.digest, index.images[0].digest, "v1"):
        catalogue.observe(APP, reference)
    assert catalogue.digests(APP, listed=True) == {index.digest}
    assert catalogue.tags(APP) == {"v1": index.digest}


def test_a_child_with_a_tag_of_its_own_is_listed(catalogue: Catalogue, pusher: Pusher) -> None:
    index = make_index("many")
    pusher.push(APP, "v1", index)
    pusher.push(APP, "amd64", index.images[0])
    catalogue.observe(APP, "v1", "amd64")
    assert catalogue.digests(APP, listed=True) == {index.digest, index.images[0].digest}


def test_deleting_an_index_lists_its_children(catalogue: Catalogue, pusher: Pusher) -> None:
    index = make_index("many")
    pusher.push(APP, "v1", index)
    catalogue.observe(APP, "v1")
    pusher.delete(APP, index.digest)
    catalogue.observe(APP, index.digest)
    assert catalogue.digests(APP, listed=True) == {image.digest for image in index.images}
    assert catalogue.tags(APP) == {}


def test_a_moved_tag_names_the_new_artifact(catalogue: Catalogue, pusher: Pusher) -> None:
    old, new = make_image("old"), make_image("new")
    pusher.push(APP, "latest", old)
    catalogue.observe(APP, old.digest, "latest")
    pusher.push(APP, "latest", new)
    catalogue.observe(APP, new.digest, "latest")
    assert catalogue.tags(APP) == {"latest": new.digest}
    assert catalogue.digests(APP, listed=True) == {old.digest, new.digest}


def test_a_deletion_heard_before_the_push_converges(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(APP, "v1", image)
    pusher.delete(APP, image.digest)
    catalogue.observe(APP, image.digest)
    catalogue.observe(APP, image.digest, "v1")
    assert catalogue.digests(APP) == set()
    assert catalogue.rows("SELECT count(*) FROM core.repositories") == [(0,)]


def test_deleting_the_last_artifact_leaves_the_repository_empty(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(APP, "v1", image)
    catalogue.observe(APP, image.digest, "v1")
    pusher.delete(APP, image.digest)
    changes = catalogue.observe(APP, image.digest)
    assert [change.tag.text for change in changes.tags_removed] == ["v1"]
    assert catalogue.rows("SELECT artifact_count FROM core.repositories") == [(0,)]
    assert catalogue.rows("SELECT storage_used FROM core.projects") == [(0,)]


def test_a_blob_counts_once_a_project(catalogue: Catalogue, pusher: Pusher) -> None:
    catalogue.add_project("other")
    image = make_image("one", layers=2)
    pusher.push(APP, "v1", image)
    pusher.push("library/copy", "v1", image)
    for blob in image.blobs:
        assert pusher.mount("other/app", blob, APP).status == 201
    pusher.put_manifest("other/app", "v1", image.manifest)
    for repository in (APP, "library/copy", "other/app"):
        catalogue.observe(repository, "v1")
    assert dict(catalogue.rows("SELECT name, storage_used FROM core.projects")) == {
        "library": image.size,
        "other": image.size,
    }


def test_sizes_are_the_registrys_and_not_the_descriptors(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    lying = json.loads(image.manifest.content)
    lying["layers"][0]["size"] = 2**50
    lying["config"]["size"] = 1
    manifest = Blob.of(json.dumps(lying).encode(), OCI_MANIFEST)
    pusher.push(APP, "v1", Image(manifest=manifest, config=image.config, layers=image.layers))
    catalogue.observe(APP, "v1")
    real = len(manifest.content) + sum(len(blob.content) for blob in image.blobs)
    assert catalogue.rows("SELECT size FROM core.artifacts") == [(real,)]
    assert catalogue.rows("SELECT storage_used FROM core.projects") == [(real,)]


@pytest.mark.parametrize(
    ("media_type", "annotations", "expected"),
    [
        ("application/vnd.cncf.helm.config.v1+json", None, "CHART"),
        ("application/vnd.wasm.config.v1+json", None, "WASM"),
        ("application/vnd.oci.image.config.v1+json", {"module.wasm.image/variant": "compat"}, "WASM"),
        ("application/vnd.acme.rocket.config.v1+json", None, "ROCKET"),
        ("application/x-whatever", None, "UNKNOWN"),
    ],
)
def test_any_oci_artifact_is_catalogued_by_its_type(
    catalogue: Catalogue, pusher: Pusher, media_type: str, annotations: dict[str, str] | None, expected: str
) -> None:
    made = make_image("one", artifact_type=media_type, annotations=annotations)
    pusher.push(APP, "v1", made)
    catalogue.observe(APP, "v1")
    assert catalogue.rows("SELECT type, media_type FROM core.artifacts") == [(expected, media_type)]


def test_a_configuration_of_hostile_values_is_catalogued(catalogue: Catalogue, pusher: Pusher) -> None:
    config = (
        b'{"architecture": "a\\u0000b\\ud800", "os": ["x"], "author": 5, "created": "never", "config": {"n": 1e999}}'
    )
    blob = Blob.of(config, "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob.descriptor, "layers": []}
    image = Image(manifest=Blob.of(json.dumps(manifest).encode(), OCI_MANIFEST), config=blob, layers=())
    pusher.push(APP, "v1", image)
    catalogue.observe(APP, "v1")
    ((attributes,),) = catalogue.rows("SELECT extra_attrs FROM core.artifacts")
    assert attributes == {"architecture": "a\ufffdb?", "os": "", "author": "", "config": {"n": None}}


def test_a_nested_index_is_catalogued_with_what_is_below(catalogue: Catalogue, pusher: Pusher) -> None:
    inner = make_index("inner")
    pusher.push(APP, inner.digest, inner)
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner.manifest.descriptor]}
    outer = Blob.of(json.dumps(content).encode(), OCI_INDEX)
    assert pusher.put_manifest(APP, "all", outer).status == 201
    catalogue.observe(APP, "all")
    assert catalogue.digests(APP, listed=True) == {outer.digest}
    assert len(catalogue.digests(APP)) == 4


def test_a_project_that_does_not_exist_gets_nothing(catalogue: Catalogue, pusher: Pusher) -> None:
    pusher.push("ghost/app", "v1", make_image("one"))
    assert catalogue.observe("ghost/app", "v1").project_id is None
    assert catalogue.rows("SELECT count(*) FROM core.repositories") == [(0,)]


def test_two_observers_of_one_repository_take_turns(catalogue: Catalogue, pusher: Pusher) -> None:
    images = [make_image(f"i{number}") for number in range(12)]
    for number, image in enumerate(images):
        pusher.push(APP, f"v{number}", image)
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            list(pool.map(lambda pair: catalogue.observe(APP, pair[1].digest, f"v{pair[0]}"), enumerate(images)))
    assert len(catalogue.digests(APP, listed=True)) == 12


def test_two_hundred_concurrent_pushes_make_two_hundred_artifacts(catalogue: Catalogue, pusher: Pusher) -> None:
    def push(number: int) -> None:
        image = make_image(f"many/{number}")
        pusher.push(f"library/many{number % 7}", f"v{number}", image)
        catalogue.observe(f"library/many{number % 7}", image.digest, f"v{number}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(push, range(200)))
    assert catalogue.rows("SELECT count(*), count(DISTINCT digest) FROM core.artifacts") == [(200, 200)]
    assert catalogue.rows("SELECT count(*) FROM core.tags") == [(200,)]
    assert catalogue.rows("SELECT artifact_count, repository_count FROM core.projects") == [(200, 7)]


def test_an_older_view_never_overwrites_a_newer_one(catalogue: Catalogue, pusher: Pusher) -> None:
    images = [make_image(f"i{number}") for number in range(10)]
    stop = threading.Event()

    def keep_observing() -> None:
        while not stop.is_set():
            catalogue.observe(APP, "latest")

    with ThreadPoolExecutor(4) as pool:
        watchers = [pool.submit(keep_observing) for _ in range(3)]
        for image in images:
            pusher.push(APP, "latest", image)
        catalogue.observe(APP, "latest")
        assert catalogue.tags(APP) == {"latest": images[-1].digest}
        stop.set()
        for watcher in watchers:
            watcher.result(30)
    assert catalogue.tags(APP) == {"latest": images[-1].digest}


def test_what_was_half_observed_when_it_was_killed_is_not_there(
    catalogue: Catalogue, pusher: Pusher, registry: RegistryServer
) -> None:
    index = make_index("many")
    pusher.push(APP, "v1", index)
    registry.kill()
    with pytest.raises(Exception, match="registry is not available"):
        catalogue.observe(APP, "v1")
    assert catalogue.rows("SELECT count(*) FROM core.artifacts") == [(0,)]
    registry.start()
    catalogue.observe(APP, "v1")
    assert catalogue.digests(APP, listed=True) == {index.digest}
