"""What the API deletes and tags: at the registry, in the catalogue and in the outbox alike."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import cast

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands import deletion
from services.api.commands.deletion import create_tag, delete_artifact, delete_repository, delete_tag
from services.api.commands.reconcile import PATIENCE, settle_expected
from shared.errors import Conflict, NotFound, PreconditionFailed
from shared.events import EventContext
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from shared.registry.errors import RegistryUnavailable
from tests.clients.images import OCI_INDEX, Blob, make_image, make_index
from tests.clients.polling import eventually
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer

NAME = "library/app"
APP = RepositoryName(NAME)

Sessions = sessionmaker[Session]


def test_an_artifact_is_deleted_with_its_tags_and_told_once(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    for tag in ("v1", "v2"):
        pusher.push(NAME, tag, image)
    catalogue.observe(NAME, "v1", "v2")
    delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert client.resolve(APP, Digest(image.digest)) is None
    assert catalogue.digests(NAME) == set()
    assert [event["subject"] for event in catalogue.events()] == [
        f"{NAME}@{image.digest}", f"{NAME}:v1", f"{NAME}:v2"
    ]  # fmt: skip
    assert {event["actor"] for event in catalogue.events()} == {"alice"}
    assert {event["data"]["origin"] for event in catalogue.events()} == {"gate"}
    assert catalogue.rows("SELECT state, settled_by FROM events.expected") == [("settled", "gate")]


def test_an_index_takes_along_the_children_that_only_it_needs(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    index = make_index("many", architectures=("amd64", "arm64", "s390x"))
    pusher.push(NAME, "v1", index)
    tagged, shared_child, own = index.images
    pusher.push(NAME, "keep", tagged)
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [shared_child.manifest.descriptor]}
    other = Blob.of(json.dumps(content).encode(), OCI_INDEX)
    pusher.put_manifest(NAME, "other", other)
    catalogue.observe(NAME, "v1", "keep", "other")
    delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert catalogue.digests(NAME) == {tagged.digest, shared_child.digest, other.digest}
    assert client.resolve(APP, Digest(own.digest)) is None
    assert client.resolve(APP, Digest(shared_child.digest)) is not None


def test_a_child_of_an_index_is_not_deleted_under_it(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    index = make_index("many")
    pusher.push(NAME, "v1", index)
    catalogue.observe(NAME, "v1")
    with pytest.raises(PreconditionFailed, match="referenced by an index"):
        delete_artifact(api_sessions, client, repository=APP, reference=Digest(index.images[0].digest), context=context)
    assert client.resolve(APP, Digest(index.images[0].digest)) is not None


def test_a_tag_is_taken_off_and_its_artifact_stays(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    for tag in ("v1", "v2"):
        pusher.push(NAME, tag, image)
    catalogue.observe(NAME, "v1", "v2")
    delete_tag(
        api_sessions, client, repository=APP, reference=Digest(image.digest), tag=TagName("v1"), context=context
    )
    assert sorted(client.tags(APP)) == ["v2"]
    assert client.resolve(APP, Digest(image.digest)) is not None
    assert catalogue.tags(NAME) == {"v2": image.digest}
    assert [(event["type"], event["subject"]) for event in catalogue.events()] == [
        ("breakwater.tag.deleted.v1", f"{NAME}:v1")
    ]
    assert catalogue.events()[0]["data"]["digest"] == image.digest


def test_the_last_tag_taken_off_leaves_the_artifact_listed(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    delete_tag(api_sessions, client, repository=APP, reference=TagName("v1"), tag=TagName("v1"), context=context)
    assert catalogue.digests(NAME, listed=True) == {image.digest}
    assert catalogue.tags(NAME) == {}


def test_a_tag_of_another_artifact_is_not_found(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    one, two = make_image("one"), make_image("two")
    pusher.push(NAME, "v1", one)
    pusher.push(NAME, "v2", two)
    catalogue.observe(NAME, "v1", "v2")
    with pytest.raises(NotFound, match="not attached"):
        delete_tag(
            api_sessions, client, repository=APP, reference=Digest(one.digest), tag=TagName("v2"), context=context
        )
    assert catalogue.rows("SELECT count(*) FROM events.expected") == [(0,)]


def test_a_tag_that_has_just_been_moved_is_left_alone(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    one, two = make_image("one"), make_image("two")
    pusher.push(NAME, "v1", one)
    catalogue.observe(NAME, "v1")
    pusher.push(NAME, "v1", two)
    with pytest.raises(Conflict, match="just been moved"):
        delete_tag(
            api_sessions, client, repository=APP, reference=Digest(one.digest), tag=TagName("v1"), context=context
        )
    assert client.resolve(APP, TagName("v1")) == Digest(two.digest)


def test_a_new_tag_is_put_on_an_artifact(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    v1, stable = TagName("v1"), TagName("stable")
    tag = create_tag(api_sessions, client, repository=APP, reference=v1, tag=stable, context=context)
    assert tag.name == "stable"
    assert client.resolve(APP, TagName("stable")) == Digest(image.digest)
    assert catalogue.tags(NAME) == {"v1": image.digest, "stable": image.digest}
    assert [event["type"] for event in catalogue.events()] == ["breakwater.tag.created.v1"]
    with pytest.raises(Conflict, match="already exists"):
        create_tag(api_sessions, client, repository=APP, reference=v1, tag=stable, context=context)


def test_a_tag_that_the_catalogue_does_not_know_yet_is_not_moved(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image, newer = make_image("one"), make_image("two")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    pusher.push(NAME, "stable", newer)
    with pytest.raises(Conflict, match="already exists"):
        create_tag(
            api_sessions, client, repository=APP, reference=TagName("v1"), tag=TagName("stable"), context=context
        )
    assert client.resolve(APP, TagName("stable")) == Digest(newer.digest)
    assert catalogue.events() == []
    assert catalogue.rows("SELECT state, settled_by FROM events.expected") == [("refused", "gate")]


def test_of_many_who_put_a_tag_on_artifacts_at_once_one_does(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    images = [make_image(f"image {number}") for number in range(4)]
    for number, image in enumerate(images):
        pusher.push(NAME, f"v{number}", image)
    catalogue.observe(NAME, *(f"v{number}" for number in range(4)))
    stable = TagName("stable")

    def put(number: int) -> str | None:
        reference = TagName(f"v{number}")
        try:
            create_tag(api_sessions, client, repository=APP, reference=reference, tag=stable, context=context)
        except Conflict:
            return None
        return images[number].digest

    with ThreadPoolExecutor(4) as threads:
        done = [digest for digest in threads.map(put, range(4)) if digest]
    assert [client.resolve(APP, stable)] == [Digest(digest) for digest in done]
    assert catalogue.tags(NAME)["stable"] == done[0]
    assert len(catalogue.events("tag.created")) == 1


def test_a_repository_is_deleted_with_everything_in_it(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    index = make_index("many")
    pusher.push(NAME, "v1", index)
    pusher.push(NAME, "v2", make_image("one"))
    catalogue.observe(NAME, "v1", "v2")
    delete_repository(api_sessions, client, repository=APP, context=context)
    assert client.tags(APP) == []
    assert catalogue.rows("SELECT count(*) FROM core.repositories") == [(0,)]
    assert catalogue.rows("SELECT repository_count, artifact_count, storage_used FROM core.projects") == [(0, 0, 0)]
    assert catalogue.events()[-1]["type"] == "breakwater.repository.deleted.v1"
    assert len(catalogue.events("artifact.deleted")) == 4
    with pytest.raises(NotFound):
        delete_repository(api_sessions, client, repository=APP, context=context)


@pytest.fixture
def many(catalogue: Catalogue, pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of an index with its children and of images that share their blobs: several chunks of them."""
    monkeypatch.setattr(deletion, "_CHUNK", 4)
    index = make_index("many")
    pusher.push(NAME, "index", index)
    images = [make_image("one", annotations={"number": str(number)}) for number in range(11)]
    for number, image in enumerate(images):
        pusher.push(NAME, f"v{number}", image)
    pusher.push("library/other", "v0", images[0])
    catalogue.observe(NAME, "index", *(f"v{number}" for number in range(11)))
    catalogue.observe("library/other", "v0")
    return [index.digest, *(image.digest for image in (*index.images, *images))]


def told(catalogue: Catalogue) -> list[str]:
    """The digests that were told of as deleted."""
    return sorted(event["data"]["digest"] for event in catalogue.events("artifact.deleted"))


def test_a_repository_of_several_chunks_is_deleted_and_each_artifact_told_of_once(
    catalogue: Catalogue, api_sessions: Sessions, client: RegistryClient, context: EventContext, many: list[str]
) -> None:
    delete_repository(api_sessions, client, repository=APP, context=context)
    assert client.tags(APP) == []
    assert told(catalogue) == sorted(many)
    assert len(catalogue.events("tag.deleted")) == 12
    assert [event["type"] for event in catalogue.events("repository")] == ["breakwater.repository.deleted.v1"]
    assert catalogue.rows("SELECT DISTINCT state, settled_by FROM events.expected") == [("settled", "gate")]
    assert catalogue.rows("SELECT name, artifact_count FROM core.repositories") == [("library/other", 1)]
    assert client.resolve(RepositoryName("library/other"), TagName("v0")) is not None


def test_a_deletion_that_breaks_off_tells_of_what_is_gone_and_the_next_takes_the_rest(
    catalogue: Catalogue,
    api_sessions: Sessions,
    client: RegistryClient,
    context: EventContext,
    registry: RegistryServer,
    many: list[str],
) -> None:
    def kill_when_some_are_told() -> None:
        eventually(lambda: len(told(catalogue)) >= 4, within=60, what="a chunk is deleted", every=0.001)
        registry.kill()

    with ThreadPoolExecutor(1) as other:
        killing = other.submit(kill_when_some_are_told)
        with pytest.raises(RegistryUnavailable):
            delete_repository(api_sessions, client, repository=APP, context=context)
        killing.result()
    gone = told(catalogue)
    assert 4 <= len(gone) < len(many)
    assert catalogue.digests(NAME) == set(many) - set(gone)
    catalogue.check()
    registry.start()
    delete_repository(api_sessions, client, repository=APP, context=context)
    assert set(told(catalogue)) <= set(many)
    assert len(told(catalogue)) == len(set(told(catalogue)))
    settle_expected(
        catalogue.sessions, client, instance_id=context.instance_id, now=datetime.now(UTC) + 2 * PATIENCE
    )
    assert told(catalogue) == sorted(many)
    assert catalogue.digests(NAME) == set()


def test_what_a_killed_deletion_had_done_is_told_of_by_the_reconciler(
    catalogue: Catalogue, api_sessions: Sessions, client: RegistryClient, context: EventContext, many: list[str]
) -> None:
    """Its connection is cut after the registry has answered, which leaves the database as kill -9 does."""
    cut = threading.Event()

    class Cutting:
        """The registry; after the last deletion of a chunk the deleting connection dies."""

        def __init__(self) -> None:
            self.left = 4

        def delete_manifest(self, repository: RepositoryName, digest: Digest, *, user_agent: str) -> bool:
            deleted = client.delete_manifest(repository, digest, user_agent=user_agent)
            self.left -= 1
            if not self.left and not cut.is_set():
                catalogue.rows(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'breakwater_core'"
                    " AND state = 'idle in transaction'"
                )
                cut.set()
            return deleted

    with pytest.raises(OperationalError):
        delete_repository(api_sessions, cast("RegistryClient", Cutting()), repository=APP, context=context)
    assert told(catalogue) == []
    assert catalogue.rows("SELECT count(*) FROM events.expected WHERE state = 'open'") == [(4,)]
    later = datetime.now(UTC) + 2 * PATIENCE
    assert settle_expected(catalogue.sessions, client, instance_id=context.instance_id, now=later) == 4
    assert len(told(catalogue)) == 4
    delete_repository(api_sessions, client, repository=APP, context=context)
    assert told(catalogue) == sorted(many)


@pytest.mark.parametrize("whole", [False, True], ids=["the artifact", "the repository"])
def test_who_deletes_again_what_a_killed_deletion_had_done_tells_of_it(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext,
    *, whole: bool,
) -> None:
    """The killed one had deleted at the registry, and its transaction was lost."""
    image = make_image("one")
    for tag in ("v1", "v2"):
        pusher.push(NAME, tag, image)
    catalogue.observe(NAME, "v1", "v2")
    killed = catalogue.expect("delete", NAME, image.digest, image.digest, age=5)
    client.delete_manifest(APP, Digest(image.digest), user_agent="tests/1")
    if whole:
        delete_repository(api_sessions, client, repository=APP, context=context)
    else:
        delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    once = [f"{NAME}@{image.digest}", f"{NAME}:v1", f"{NAME}:v2"]
    removed = [event for event in catalogue.events() if "repository" not in event["type"]]
    assert [event["subject"] for event in removed] == once
    assert {event["actor"] for event in removed} == {"bob"}
    assert catalogue.expected(killed) == ("settled", "reconciler")
    assert catalogue.digests(NAME) == set()
    later = datetime.now(UTC) + 2 * PATIENCE
    assert settle_expected(catalogue.sessions, client, instance_id=context.instance_id, now=later) == 0
    assert len([event for event in catalogue.events() if "repository" not in event["type"]]) == len(once)


def test_what_the_registry_has_told_of_is_not_told_again_by_who_comes_later(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    other = catalogue.expect("delete", NAME, image.digest, image.digest, age=5)
    notified = catalogue.expect("delete", NAME, image.digest, image.digest, age=4)
    catalogue.rows(
        "UPDATE events.expected SET state = 'settled', settled_by = 'registry', settled_at = now() WHERE id = %s"
        " RETURNING id",
        notified,
    )
    client.delete_manifest(APP, Digest(image.digest), user_agent="tests/1")
    delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert catalogue.events() == []
    assert catalogue.expected(other)[0] == "open"
    assert catalogue.digests(NAME) == set()


def test_a_registry_that_is_away_leaves_everything_as_it_was(
    catalogue: Catalogue,
    pusher: Pusher,
    api_sessions: Sessions,
    client: RegistryClient,
    context: EventContext,
    registry: RegistryServer,
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    registry.kill()
    with pytest.raises(RegistryUnavailable):
        delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert catalogue.tags(NAME) == {"v1": image.digest}
    assert catalogue.events() == []
    assert catalogue.rows("SELECT state FROM events.expected") == [("open",)]
    registry.start()
    delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert len(catalogue.events("artifact.deleted")) == 1


def test_one_of_many_who_delete_the_same_tells_of_it(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    start = threading.Barrier(4)

    def delete(_: int) -> None:
        start.wait(10)
        try:
            delete_artifact(api_sessions, client, repository=APP, reference=Digest(image.digest), context=context)
        except NotFound:
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(delete, range(4)))
    assert len(catalogue.events("artifact.deleted")) == 1
    assert len(catalogue.events("tag.deleted")) == 1
