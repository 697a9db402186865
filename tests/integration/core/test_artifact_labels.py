"""Labels on artifacts: put on and taken off, shown, searched by, and gone with either of the two."""

from typing import Any

import pytest

from shared.db import engine, session_factory
from tests.integration.core.labels import ABSENT, bearers, meanwhile, stored
from tests.integration.core.people import ADMIN, Api, code, sentence
from tests.integration.core.rows import artifact_of, label_of


def test_a_label_is_put_on_an_artifact_and_taken_off(api: Api) -> None:
    project = api.project()
    digest, developer = artifact_of(api, project, "a/b", "v1"), api.member(project, "developer")
    label_id = label_of(api, project, "tested")
    path = f"/projects/{project}/repositories/a%252Fb/artifacts"
    assert api.send("POST", f"{path}/v1/labels", developer, {"id": label_id, "name": "another"}).status_code == 200
    assert bearers(api, label_id) == {digest}
    event = api.events("label.attached")[-1]
    assert (event["actor"], event["subject"]) == (developer.name, f"{project}/a/b@{digest}")
    assert (event["data"]["label"], event["data"]["project"]) == ("tested", project)
    answer = api.send("POST", f"{path}/{digest}/labels", developer, {"id": label_id})
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    assert api.send("DELETE", f"{path}/{digest}/labels/{label_id}", developer).status_code == 200
    assert bearers(api, label_id) == set()
    assert api.events("label.detached")[-1]["data"]["digest"] == digest
    answer = api.send("DELETE", f"{path}/v1/labels/{label_id}", developer)
    assert (answer.status_code, sentence(answer)) == (404, "the artifact does not bear the label")
    assert len([each for each in api.events("label.detached") if each["data"]["label_id"] == label_id]) == 1


def test_a_label_of_another_project_is_put_on_nothing(api: Api) -> None:
    own, foreign = api.project(), api.project()
    digest = artifact_of(api, own, "app")
    theirs, everybodys = label_of(api, foreign), label_of(api)
    path = f"/projects/{own}/repositories/app/artifacts/{digest}/labels"
    administrator = api.member(own, "projectAdmin")
    for caller in (administrator, ADMIN):
        answers = [api.send("POST", path, caller, {"id": each}) for each in (theirs, ABSENT)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text == answers[1].text
    assert bearers(api, theirs) == set()
    assert api.send("POST", path, administrator, {"id": everybodys}).status_code == 200
    assert bearers(api, everybodys) == {digest}


def test_a_guest_puts_no_label_on_anything_and_takes_none_off(api: Api) -> None:
    project = api.project()
    digest, guest = artifact_of(api, project, "app"), api.member(project, "guest")
    label_id, other = label_of(api, project), label_of(api, project)
    path = f"/projects/{project}/repositories/app/artifacts/{digest}/labels"
    api.send("POST", path, ADMIN, {"id": label_id})
    assert api.send("POST", path, guest, {"id": other}).status_code == 403
    assert api.send("DELETE", f"{path}/{label_id}", guest).status_code == 403
    assert (bearers(api, label_id), bearers(api, other)) == ({digest}, set())


@pytest.mark.parametrize(
    ("reference", "body", "status"),
    [
        ("v1", {}, 400),
        ("v1", {"id": 0}, 400),
        ("v1", {"id": -1}, 400),
        ("v1", {"id": "1"}, 400),
        ("v1", {"id": 1.5}, 400),
        ("v1", [], 400),
        ("v1", {"id": ABSENT}, 404),
        ("v1", {"id": 2**70}, 404),
        ("v2", {"id": "{label}"}, 404),
        ("sha256:" + "0" * 64, {"id": "{label}"}, 404),
        ("sha256:0", {"id": "{label}"}, 400),
    ],
    ids=str,
)
def test_what_cannot_be_put_on_an_artifact_is_refused(api: Api, reference: str, body: Any, status: int) -> None:  # noqa: ANN401 - JSON
    project = api.project()
    artifact_of(api, project, "app", "v1")
    label_id = label_of(api, project)
    sent = {"id": label_id} if body == {"id": "{label}"} else body
    path = f"/projects/{project}/repositories/app/artifacts/{reference}/labels"
    assert api.send("POST", path, ADMIN, sent).status_code == status
    assert bearers(api, label_id) == set()


def test_artifacts_show_their_labels_where_that_is_asked(api: Api) -> None:
    project = api.project()
    labelled, bare = artifact_of(api, project, "app", "v1"), artifact_of(api, project, "app", "v2")
    ids = [label_of(api, project, "zz-own"), label_of(api, name="aa-global")]
    path = f"/projects/{project}/repositories/app/artifacts"
    for label_id in ids:
        assert api.send("POST", f"{path}/v1/labels", ADMIN, {"id": label_id}).status_code == 200
    for place in (path, f"/projects/{project}/artifacts"):
        shown = {each["digest"]: each["labels"] for each in api.get(f"{place}?with_label=true").json}
        assert [(each["name"], each["scope"]) for each in shown[labelled]] == [("aa-global", "g"), ("zz-own", "p")]
        assert shown[bare] == []
        assert "labels" not in api.get(place).json[0]
    assert [each["id"] for each in api.get(f"{path}/v1?with_label=true").json["labels"]] == ids[::-1]
    assert "labels" not in api.get(f"{path}/v1?with_label=false").json
    assert api.get(f"{path}?with_label=perhaps").status_code == 422


def test_artifacts_are_found_by_their_labels(api: Api) -> None:
    project = api.project()
    both, one = artifact_of(api, project, "app", "both"), artifact_of(api, project, "app", "one")
    artifact_of(api, project, "app", "none")
    first, second = label_of(api, project), label_of(api)
    path = f"/projects/{project}/repositories/app/artifacts"
    for tag, label_id in (("both", first), ("both", second), ("one", first)):
        api.send("POST", f"{path}/{tag}/labels", ADMIN, {"id": label_id})

    def found(q: str) -> set[str]:
        answer = api.get(f"{path}?q={q}")
        digests = {each["digest"] for each in answer.json}
        assert answer.headers["x-total-count"] == str(len(digests))
        return digests

    assert found(f"labels=({first} {second})") == {both}
    assert found(f"labels=({first} {first})") == {both, one}
    assert found(f"labels={first}") == {both, one}
    assert found(f"labels={{{first} {second}}}") == {both, one}
    assert found(f"labels=({first}),tags=one") == {one}
    assert found(f"labels=({second} {ABSENT})") == set()


@pytest.mark.parametrize(
    "q", ["labels=~1", "labels=[1~2]", "labels=(one)", "labels=-1", "labels=(1 2", "labels=99999999999", "labels=1.5"]
)
def test_labels_that_are_no_numbers_find_nothing(api: Api, q: str) -> None:
    project = api.project()
    artifact_of(api, project, "app")
    assert api.get(f"/projects/{project}/repositories/app/artifacts?q={q}").status_code == 400


def test_a_deleted_label_is_on_nothing_any_more(api: Api) -> None:
    label_id, project = label_of(api), api.project()
    digests = {artifact_of(api, project, "app"), artifact_of(api, project, "other")}
    for digest, rest in ((digest, rest) for digest in digests for rest in ("app", "other")):
        api.send("POST", f"/projects/{project}/repositories/{rest}/artifacts/{digest}/labels", ADMIN, {"id": label_id})
    assert bearers(api, label_id) == digests
    assert api.send("DELETE", f"/labels/{label_id}").status_code == 200
    assert bearers(api, label_id) == set()
    shown = api.get(f"/projects/{project}/artifacts?with_label=true").json
    assert [each["labels"] for each in shown] == [[], []]


def test_an_artifact_that_metadata_deletes_takes_its_labels_along(api: Api) -> None:
    project, label_id = api.project(), label_of(api)
    digest = artifact_of(api, project, "app")
    path = f"/projects/{project}/repositories/app/artifacts/{digest}/labels"
    assert api.send("POST", path, ADMIN, {"id": label_id}).status_code == 200
    bind = engine(api.database.settings("metadata"))
    with session_factory(bind).begin() as session:
        session.connection().exec_driver_sql("DELETE FROM core.artifacts WHERE digest = %s", (digest,))
    bind.dispose()
    assert bearers(api, label_id) == set()
    assert stored(api, label_id) is not None


@pytest.mark.parametrize("gone", ["label", "artifact"])
def test_what_is_deleted_meanwhile_is_put_together_with_nothing(api: Api, gone: str) -> None:
    project, label_id = api.project(), label_of(api)
    digest = artifact_of(api, project, "app")
    path = f"/projects/{project}/repositories/app/artifacts/{digest}/labels"
    change, value = {
        "label": ("DELETE FROM core.labels WHERE id = %s", label_id),
        "artifact": ("DELETE FROM core.artifacts WHERE digest = %s", digest),
    }[gone]
    answer = meanwhile(api, change, value, "POST", path, {"id": label_id})
    assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")
    assert bearers(api, label_id) == set()
