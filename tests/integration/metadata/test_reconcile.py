"""What was expected and never told: the registry is asked, and exactly one tells."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.reconcile import settle_expected
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from shared.registry.errors import RegistryUnavailable
from shared.registry.manifests import OCI_INDEX, throwaway
from tests.clients.images import make_image, make_index
from tests.integration.metadata.conftest import INSTANCE, Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer

NAME = "library/app"
APP = RepositoryName(NAME)

Sessions = sessionmaker[Session]


def settle(catalogue: Catalogue) -> int:
    return settle_expected(
        catalogue.sessions, catalogue.client, instance_id=UUID(INSTANCE), now=datetime.now(UTC)
    )


def test_a_push_nobody_notified_is_told_once_with_its_actor(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    expectation = catalogue.expect("put", NAME, "v1", image.digest)
    assert settle(catalogue) == 1
    assert settle(catalogue) == 0
    (event,) = catalogue.events()
    assert event["id"] == str(uuid5(UUID(INSTANCE), f"expected:{expectation}"))
    assert (event["type"], event["subject"]) == ("breakwater.artifact.pushed.v1", f"{NAME}:v1")
    assert (event["actor"], event["data"]["origin"]) == ("bob", "reconciler")
    assert event["data"]["client"] == {"address": "192.0.2.9", "user_agent": "skopeo/1"}
    assert event["data"]["request_id"] == "r-1"
    assert catalogue.tags(NAME) == {"v1": image.digest}
    assert catalogue.expected(expectation) == ("settled", "reconciler")


def test_what_is_younger_than_a_minute_is_waited_for(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.expect("put", NAME, "v1", image.digest, age=30)
    assert settle(catalogue) == 0


def test_a_push_that_never_arrived_is_not_told(catalogue: Catalogue) -> None:
    expectation = catalogue.expect("put", NAME, "v1", Digest.of(b"never").text)
    assert settle(catalogue) == 0
    assert catalogue.events() == []
    assert catalogue.expected(expectation) == ("refused", "reconciler")


def test_a_deletion_nobody_notified_is_told_with_its_tags(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    pusher.push(NAME, "v2", image)
    catalogue.observe(NAME, "v1", "v2")
    pusher.delete(NAME, image.digest)
    catalogue.expect("delete", NAME, image.digest, image.digest)
    assert settle(catalogue) == 1
    assert sorted(event["subject"] for event in catalogue.events()) == sorted(
        [f"{NAME}@{image.digest}", f"{NAME}:v1", f"{NAME}:v2"]
    )
    assert catalogue.digests(NAME) == set()


def test_a_deletion_that_did_not_happen_is_not_told(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.observe(NAME, "v1")
    expectation = catalogue.expect("delete", NAME, image.digest, image.digest)
    assert settle(catalogue) == 0
    assert catalogue.expected(expectation) == ("refused", "reconciler")
    assert catalogue.tags(NAME) == {"v1": image.digest}


def test_a_tag_left_half_deleted_is_finished_and_told(
    catalogue: Catalogue, pusher: Pusher, client: RegistryClient
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    pusher.push(NAME, "v2", image)
    catalogue.observe(NAME, "v1", "v2")
    deletion = uuid4()
    body = throwaway(deletion)
    catalogue.rows(
        "INSERT INTO events.expected (id, kind, repository, reference, digest, actor, actor_kind, created_at)"
        " VALUES (%s, 'delete', %s, 'v1', %s, 'alice', 'user', now() - interval '70 s') RETURNING id",
        deletion, NAME, Digest.of(body).text,
    )  # fmt: skip
    client.put_manifest(APP, TagName("v1"), body, OCI_INDEX, user_agent="test")
    catalogue.observe(NAME, "v1")
    assert catalogue.tags(NAME) == {"v1": image.digest, "v2": image.digest}
    assert settle(catalogue) == 1
    assert client.tags(APP) == ["v2"]
    assert client.resolve(APP, Digest.of(body)) is None
    assert catalogue.tags(NAME) == {"v2": image.digest}
    (event,) = catalogue.events()
    assert (event["type"], event["subject"], event["actor"]) == ("breakwater.tag.deleted.v1", f"{NAME}:v1", "alice")


def test_a_manifest_that_only_claims_to_be_a_stand_in_is_catalogued(
    catalogue: Catalogue, client: RegistryClient
) -> None:
    body = throwaway(uuid4())
    client.put_manifest(APP, TagName("v1"), body, OCI_INDEX, user_agent="test")
    catalogue.observe(NAME, "v1")
    assert catalogue.tags(NAME) == {"v1": Digest.of(body).text}


def test_a_push_that_was_repeated_and_told_is_not_told_again(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    catalogue.expect("put", NAME, "v1", image.digest, age=100)
    again = catalogue.expect("put", NAME, "v1", image.digest, age=90)
    catalogue.rows(
        "UPDATE events.expected SET state = 'settled', settled_by = 'registry' WHERE id = %s RETURNING id", again
    )
    assert settle(catalogue) == 0
    assert catalogue.events() == []


def test_a_push_that_was_answered_is_told_even_if_it_was_overwritten(catalogue: Catalogue, pusher: Pusher) -> None:
    one, two = make_image("one"), make_image("two")
    pusher.push(NAME, "v1", one)
    catalogue.observe(NAME, "v1")
    expectation = catalogue.expect("put", NAME, "v1", one.digest)
    catalogue.rows("UPDATE events.expected SET answered_at = now() WHERE id = %s RETURNING id", expectation)
    pusher.push(NAME, "v1", two)
    assert settle(catalogue) == 1
    assert catalogue.tags(NAME) == {"v1": two.digest}


def test_only_one_of_many_reconcilers_tells(catalogue: Catalogue, pusher: Pusher) -> None:
    for number in range(10):
        image = make_image(f"i{number}")
        pusher.push(NAME, f"v{number}", image)
        catalogue.expect("put", NAME, f"v{number}", image.digest)
    start = threading.Barrier(4)

    def reconcile(_: int) -> int:
        start.wait(10)
        return settle(catalogue)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(reconcile, range(4))) == 10
    assert len(catalogue.events()) == 10


def test_a_notification_that_comes_first_wins(catalogue: Catalogue, pusher: Pusher) -> None:
    """The row is locked while somebody else settles it; the reconciler waits, and then is silent."""
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    expectation = catalogue.expect("put", NAME, "v1", image.digest)
    with catalogue.database.superuser() as intake, ThreadPoolExecutor(1) as pool:
        with intake.transaction():
            intake.execute(
                "UPDATE events.expected SET state = 'settled', settled_by = 'registry' WHERE id = %s", (expectation,)
            )
            settled = pool.submit(settle, catalogue)
            with pytest.raises(TimeoutError):
                settled.result(0.5)
        assert settled.result(10) == 0
    assert catalogue.events() == []


def test_a_registry_that_is_away_leaves_everything_open(
    catalogue: Catalogue, pusher: Pusher, registry: RegistryServer
) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    expectation = catalogue.expect("put", NAME, "v1", image.digest)
    registry.kill()
    with pytest.raises(RegistryUnavailable):
        settle(catalogue)
    assert catalogue.expected(expectation) == ("open", None)
    registry.start()
    assert settle(catalogue) == 1


def test_a_write_that_cannot_be_judged_holds_up_no_other(
    catalogue: Catalogue, pusher: Pusher, registry: RegistryServer
) -> None:
    broken, image = make_image("broken"), make_image("one")
    pusher.push(NAME, "broken", broken)
    pusher.push(NAME, "v1", image)
    first = catalogue.expect("put", NAME, "broken", broken.digest, age=95)
    forlorn = catalogue.expect("put", NAME, broken.digest, broken.digest, age=7 * 3600)
    second = catalogue.expect("put", NAME, "v1", image.digest)
    registry.lose_content(broken.digest)
    assert settle(catalogue) == 1
    assert [catalogue.expected(each) for each in (first, forlorn, second)] == [
        ("open", None),
        ("refused", "reconciler"),
        ("settled", "reconciler"),
    ]
    assert catalogue.tags(NAME) == {"v1": image.digest}


def test_an_index_is_told_and_catalogued_with_its_children(catalogue: Catalogue, pusher: Pusher) -> None:
    index = make_index("many")
    pusher.push(NAME, "v1", index)
    catalogue.expect("put", NAME, "v1", index.digest)
    for image in index.images:
        catalogue.expect("put", NAME, image.digest, image.digest, age=95)
    assert settle(catalogue) == 3
    assert catalogue.digests(NAME, listed=True) == {index.digest}
