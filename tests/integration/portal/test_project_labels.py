"""The labels of a project in the portal."""

import pytest

from tests.integration.core.labels import bearers, stored
from tests.integration.core.people import NOBODY, Api
from tests.integration.core.rows import artifact_of, label_of
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person


def _names(api: Api, project: str) -> set[str]:
    number = api.get(f"/projects/{project}").json["project_id"]
    return {each["name"] for each in api.get(f"/labels?scope=p&project_id={number}").json}


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", "act"), ("maintainer", "act"), ("developer", "see"), ("guest", "see"), ("limitedGuest", "")],
)
def test_a_role_sees_and_is_offered_what_it_may(api: Api, role: str, may: str) -> None:
    project = api.project()
    path, number = f"/projects/{project}/labels", label_of(api, project, "released")
    member = person(api, api.member(project, role))
    page = member.open(path)
    assert (page.status, "released" in page.words) == ((200, True) if may else (403, False))
    forms = [f"{path}/new", f"{path}/{number}/edit", f"{path}/{number}/delete"]
    assert [page.offers(form) for form in forms] == [may == "act"] * 3
    assert [member.open(form).status for form in forms] == [200 if may == "act" else 403] * 3
    assert member.post(f"{path}/{number}/delete").status == (303 if may == "act" else 403)
    assert (stored(api, number) is None) is (may == "act")


def test_anybody_sees_the_labels_of_a_public_project(api: Api) -> None:
    project = api.project(public=True)
    label_of(api, project, "shown-to-all")
    page = person(api, NOBODY).open(f"/projects/{project}/labels")
    assert (page.status, "shown-to-all" in page.words) == (200, True)
    assert not page.offers(f"/projects/{project}/labels/new")


def test_a_label_is_made_edited_and_deleted(api: Api) -> None:
    project = api.project()
    admin, path = person(api, api.member(project, "maintainer")), f"/projects/{project}/labels"
    assert "No labels yet" in admin.open(path).words
    made = admin.fill(f"{path}/new", {"name": HOSTILE, "description": HOSTILE, "color": "#C92100"}, part="sheet")
    assert (made.status, made.went_to) == (200, path)
    page = admin.open(path)
    assert page.html.count("&lt;script&gt;alert(1)") >= 2
    assert "<script>alert" not in page.html
    (number,) = (int(each.split("/")[-2]) for each in page.links if each.endswith("/edit"))
    assert stored(api, number)[:3] == (HOSTILE, HOSTILE, "#C92100")  # type: ignore[index]
    form = dict(admin.open(f"{path}/{number}/edit").form(f"{path}/{number}/edit").fields)
    assert (form["name"], form["color"]) == (HOSTILE, "#C92100")
    edited = admin.fill(f"{path}/{number}/edit", {"name": "plain", "color": "own", "own": "#123abc"})
    assert edited.notice == "Label plain is changed."
    assert stored(api, number)[:3] == ("plain", HOSTILE, "#123abc")  # type: ignore[index]
    assert dict(admin.open(f"{path}/{number}/edit").form(f"{path}/{number}/edit").fields)["color"] == "own"
    assert "No artifact bears it." in admin.open(f"{path}/{number}/delete").words
    assert admin.fill(f"{path}/{number}/delete").notice == "Label plain is deleted."
    assert _names(api, project) == set()


def test_deleting_says_how_many_artifacts_bear_the_label(api: Api) -> None:
    project = api.project()
    number, digests = label_of(api, project), [artifact_of(api, project, "app", tag) for tag in ("a", "b")]
    for digest in digests:
        artifact = f"/projects/{project}/repositories/app/artifacts/{digest}"
        answer = api.send("POST", f"{artifact}/labels", body={"id": number})
        assert answer.status_code == 200
    admin, path = person(api), f"/projects/{project}/labels/{number}/delete"
    assert "It is taken off 2 artifacts" in admin.open(path).words
    assert bearers(api, number) == set(digests)
    assert admin.fill(path).status == 303
    assert bearers(api, number) == set()


@pytest.mark.parametrize(("name", "status"), [("", 400), ("taken", 409), ("n" * 129, 400)])
def test_a_refusal_keeps_what_was_typed(api: Api, name: str, status: int) -> None:
    project = api.project()
    label_of(api, project, "taken")
    path = f"/projects/{project}/labels/new"
    typed = {"name": name, "description": "kept", "color": "own", "own": "#00ff00"}
    refused = person(api).fill(path, typed, part="sheet")
    assert refused.status == status
    fields = dict(refused.form(path).fields)
    assert (fields["name"], fields["description"], fields["color"], fields["own"]) == (name, "kept", "own", "#00ff00")
    assert _names(api, project) == {"taken"}


def test_the_label_of_another_project_is_not_found_here(api: Api) -> None:
    project, foreign, everybodys = api.project(), label_of(api, api.project()), label_of(api)
    admin = person(api)
    for number in (foreign, everybodys):
        assert admin.open(f"/projects/{project}/labels/{number}/edit").status == 404
        assert admin.post(f"/projects/{project}/labels/{number}/delete").status == 404
        assert stored(api, number) is not None


def test_the_list_is_searched_and_exchanged_by_itself(api: Api) -> None:
    project = api.project()
    for name in ("red-one", "blue-one", "red-two"):
        label_of(api, project, name)
    part = person(api).open(f"/projects/{project}/labels?q=red&sort=-name", part="list")
    assert part.html.lstrip().startswith('<section id="list"')
    assert part.words.index("red-two") < part.words.index("red-one")
    assert "blue-one" not in part.words
