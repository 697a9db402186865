"""Immutable tags where manifest writes pass: neither moved nor taken off, and what they name is not deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.api.commands.deletion import delete_artifact
from services.api.errors import TagIsImmutable
from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import make_image
from tests.integration.gate.policed import Project, refusal
from tests.integration.registry_rig import Pusher


@pytest.mark.parametrize("catalogued", [True, False], ids=["catalogued", "not catalogued yet"])
def test_an_immutable_tag_cannot_be_moved(project: Project, pusher: Pusher, *, catalogued: bool) -> None:
    project.hold_fast("v*")
    image, other = make_image("one"), make_image("two")
    pusher.push(project.app, "v1", image)
    if catalogued:
        project.catalogue("v1")
    for blob in other.blobs:
        pusher.push_blob(project.app, blob)
    with project.database.superuser() as connection:
        connection.execute("UPDATE events.expected SET state = 'settled' WHERE repository = %s", (project.app,))
    status, code, sentence = refusal(pusher.put_manifest(project.app, "v1", other.manifest))
    assert (status, code) == (403, "DENIED")
    assert sentence == f"the tag {project.app}:v1 is immutable: it can be neither moved nor deleted"
    assert project.registry.client(project.tokens).resolve(
        RepositoryName(project.app), TagName("v1")
    ) == Digest(image.digest)
    assert project.value(
        "SELECT array_agg(state ORDER BY created_at) FROM events.expected WHERE repository = %s", project.app
    ) == ["settled", "refused"]


def test_the_same_content_may_be_pushed_to_an_immutable_tag_again(project: Project, pusher: Pusher) -> None:
    project.hold_fast("**")
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    pusher.push(project.app, "v1", image)


def test_a_tag_that_no_rule_names_moves(project: Project, pusher: Pusher) -> None:
    project.hold_fast("v*")
    pusher.push(project.app, "latest", make_image("one"))
    pusher.push(project.app, "latest", make_image("two"))


def test_of_two_first_pushes_to_an_immutable_tag_one_is_taken(project: Project, pusher: Pusher) -> None:
    project.hold_fast("v*")
    images = [make_image(f"image {number}") for number in range(6)]
    for image in images:
        for blob in image.blobs:
            pusher.push_blob(project.app, blob)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda image: pusher.put_manifest(project.app, "v1", image.manifest), images))
    assert sorted(answer.status for answer in answers if answer.status == 201) == [201]
    taken = images[[answer.status for answer in answers].index(201)]
    held = project.registry.client(project.tokens).resolve(RepositoryName(project.app), TagName("v1"))
    assert held == Digest(taken.digest)


@pytest.mark.parametrize("catalogued", [True, False], ids=["catalogued", "not catalogued yet"])
def test_a_manifest_with_an_immutable_tag_cannot_be_deleted(
    project: Project, pusher: Pusher, *, catalogued: bool
) -> None:
    project.hold_fast("v*")
    image = make_image("one")
    for tag in ("latest", "v1"):
        pusher.push(project.app, tag, image)
    if catalogued:
        project.catalogue("latest", "v1")
    status, code, sentence = refusal(pusher.delete(project.app, image.digest))
    assert (status, code) == (403, "DENIED")
    assert f"{project.app}:v1 is immutable" in sentence
    assert set(project.registry.client(project.tokens).tags(RepositoryName(project.app))) == {"latest", "v1"}


def test_an_artifact_with_an_immutable_tag_that_is_not_catalogued_yet_cannot_be_deleted(
    project: Project, pusher: Pusher
) -> None:
    project.hold_fast("v*")
    image = make_image("one")
    for tag in ("latest", "v1"):
        pusher.push(project.app, tag, image)
    project.catalogue("latest")
    registry = project.registry.client(project.tokens)
    with pytest.raises(TagIsImmutable, match=f"{project.app}:v1"):
        delete_artifact(
            project.sessions, registry, repository=RepositoryName(project.app), reference=TagName("latest"),
            context=project.context,
        )
    assert registry.resolve(RepositoryName(project.app), TagName("v1")) == Digest(image.digest)
    deletions = "SELECT count(*) FROM events.expected WHERE kind = 'delete' AND repository = %s"
    assert project.value(deletions, project.app) == 0


@pytest.mark.parametrize("catalogued", [True, False], ids=["catalogued", "not catalogued yet"])
def test_an_immutable_tag_cannot_be_taken_off_by_its_name(
    project: Project, pusher: Pusher, *, catalogued: bool
) -> None:
    project.hold_fast("v*")
    image = make_image("one")
    for tag in ("latest", "v1"):
        pusher.push(project.app, tag, image)
    if catalogued:
        project.catalogue("latest", "v1")
    status, code, sentence = refusal(pusher.delete(project.app, "v1"))
    assert (status, code) == (403, "DENIED")
    assert f"{project.app}:v1 is immutable" in sentence
    assert pusher.delete(project.app, "latest").status == 202
    assert project.registry.client(project.tokens).tags(RepositoryName(project.app)) == ["v1"]


def test_a_manifest_whose_tag_has_moved_away_can_be_deleted(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    pusher.push(project.app, "v1", make_image("two"))
    project.hold_fast("v*")
    assert pusher.delete(project.app, image.digest).status == 202


def test_policy_is_told_to_nobody_without_a_token(project: Project, pusher: Pusher) -> None:
    project.hold_fast("**")
    project.limit(1)
    answer = pusher.put_manifest(project.app, "v1", make_image("one").manifest, token="not.a.token")
    assert answer.status == 401
    assert b"immutable" not in answer.body
    assert b"exceed" not in answer.body
