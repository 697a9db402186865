"""DELETE of a manifest by tag, through the core mount: the tag goes, and nothing else with it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import make_image
from tests.integration.gate.conftest import Expected
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens


def told(catalogue: Catalogue, app: str) -> list[tuple[str, str, str | None]]:
    """The events about a repository: type, actor and digest."""
    return [
        (event["type"].removeprefix("breakwater."), event["actor"], event["data"].get("digest"))
        for event in catalogue.events()
        if event["data"].get("repository") == app
    ]


@pytest.mark.parametrize("known", [True, False], ids=["catalogued", "just pushed"])
def test_a_tag_is_taken_off_and_its_manifest_and_other_tags_stay(
    app: str, pusher: Pusher, expected: Expected, catalogue: Catalogue, *, known: bool
) -> None:
    image = make_image(app)
    for tag in ("v1", "v2"):
        pusher.push(app, tag, image)
    if known:
        catalogue.observe(app, "v1", "v2")
    answer = pusher.delete(app, "v1")
    assert (answer.status, answer.body) == (202, b"")
    assert catalogue.client.tags(RepositoryName(app)) == ["v2"]
    assert catalogue.client.resolve(RepositoryName(app), Digest(image.digest)) == Digest(image.digest)
    catalogue.observe(app, "v1", "v2")
    assert catalogue.tags(app) == {"v2": image.digest}
    assert catalogue.digests(app) == {image.digest}
    assert told(catalogue, app) == [("tag.deleted.v1", "alice", image.digest)]
    assert expected.rows("kind, reference, state, settled_by")[2] == ("delete", "v1", "settled", "gate")


def test_the_last_tag_taken_off_leaves_the_manifest(app: str, pusher: Pusher, catalogue: Catalogue) -> None:
    image = make_image(app)
    pusher.push(app, "v1", image)
    assert pusher.delete(app, "v1").status == 202
    assert pusher.get_manifest(app, "v1").status == 404
    assert pusher.get_manifest(app, image.digest).status == 200
    assert pusher.delete(app, "v1").status == 404
    assert len(told(catalogue, app)) == 1


@pytest.mark.parametrize("tag", ["v2", "never"])
def test_a_tag_that_is_not_there_is_a_404_and_leaves_no_trace(
    app: str, pusher: Pusher, expected: Expected, catalogue: Catalogue, tag: str
) -> None:
    pusher.push(app, "v1", make_image(app))
    before = expected.rows()
    answer = pusher.delete(app, tag)
    assert answer.status == 404
    assert json.loads(answer.body)["errors"][0]["code"] == "MANIFEST_UNKNOWN"
    assert expected.rows() == before
    assert told(catalogue, app) == []


def test_a_tag_of_a_project_that_is_gone_is_a_404(pusher: Pusher, expected: Expected) -> None:
    pusher.push_blob("ghost/app", make_image("ghost").config)
    assert pusher.delete("ghost/app", "v1").status == 404
    assert expected.rows() == []


@pytest.mark.parametrize("actions", ["pull", "pull,push"])
def test_who_may_not_delete_takes_no_tag_off(
    app: str, pusher: Pusher, expected: Expected, catalogue: Catalogue, tokens: Tokens, actions: str
) -> None:
    image = make_image(app)
    pusher.push(app, "v1", image)
    token = tokens.issue("dora", {app: actions})
    answer = pusher.send("DELETE", f"/v2/{app}/manifests/v1", app, "", token=token)
    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert f'scope="repository:{app}:delete"' in answer.headers["www-authenticate"]
    assert catalogue.client.resolve(RepositoryName(app), TagName("v1")) == Digest(image.digest)
    assert len(expected.rows()) == 1


def test_of_many_who_take_the_same_tag_off_one_tells(app: str, pusher: Pusher, catalogue: Catalogue) -> None:
    image = make_image(app)
    for tag in ("v1", "v2"):
        pusher.push(app, tag, image)
    start = threading.Barrier(6)

    def delete(_: int) -> int:
        start.wait(10)
        return pusher.delete(app, "v1").status

    with ThreadPoolExecutor(6) as pool:
        assert 202 in (statuses := set(pool.map(delete, range(6))))
    assert statuses <= {202, 404}
    assert told(catalogue, app) == [("tag.deleted.v1", "alice", image.digest)]
    assert catalogue.client.tags(RepositoryName(app)) == ["v2"]


def test_a_registry_that_is_away_keeps_the_tag(
    app: str, pusher: Pusher, expected: Expected, catalogue: Catalogue, registry: RegistryServer
) -> None:
    image = make_image(app)
    pusher.push(app, "v1", image)
    before = expected.rows()
    registry.kill()
    answer = pusher.delete(app, "v1")
    registry.start()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert catalogue.client.resolve(RepositoryName(app), TagName("v1")) == Digest(image.digest)
    assert expected.rows() == before
    assert told(catalogue, app) == []
