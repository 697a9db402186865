"""The rules for immutable tags of a project in the portal."""

from typing import Any

import pytest

from tests.integration.core.people import Api
from tests.integration.core.rows import artifact_of
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person


def _rules(api: Api, project: str) -> list[dict[str, Any]]:
    return list(api.get(f"/projects/{project}/immutabletagrules").json)


def _rule(api: Api, project: str, pattern: str = "release-*") -> int:
    body = {
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": pattern}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    }
    return api.made(f"/projects/{project}/immutabletagrules", body)


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", True), ("maintainer", True), ("developer", False), ("guest", False), ("limitedGuest", False)],
)
def test_a_role_sees_and_is_offered_what_it_may(api: Api, role: str, may: bool) -> None:  # noqa: FBT001 - a column
    project = api.project()
    path, number = f"/projects/{project}/immutable-tags", _rule(api, project)
    member = person(api, api.member(project, role))
    page = member.open(path)
    said = "tags matching release-* cannot be changed" in page.words
    assert (page.status, said) == ((200, True) if may else (403, False))
    forms = [f"{path}/new", *(f"{path}/{number}/{verb}" for verb in ("edit", "switch", "delete"))]
    assert [page.offers(form) for form in forms] == [may] * 4
    assert [member.open(form).status for form in forms] == [200 if may else 403] * 4
    assert member.post(f"{path}/{number}/delete").status == (303 if may else 403)
    assert (_rules(api, project) == []) is may


def test_a_rule_is_made_edited_switched_and_deleted(api: Api) -> None:
    project = api.project()
    admin, path = person(api, api.member(project, "maintainer")), f"/projects/{project}/immutable-tags"
    assert "No immutable tags" in admin.open(path).words
    fields = {"repo_decoration": "repoExcludes", "repo_pattern": "test/**", "tag_pattern": HOSTILE}
    made = admin.fill(f"{path}/new", fields)
    assert (made.status, made.went_to) == (303, path)
    (rule,) = _rules(api, project)
    page = admin.open(path)
    assert f"In repositories not matching test/**, tags matching {HOSTILE} cannot be changed" in page.words
    assert "<script>alert" not in page.html
    edited = admin.fill(f"{path}/{rule['id']}/edit", {"tag_pattern": "v*"}, part="sheet")
    assert edited.went_to == path
    assert [each["pattern"] for each in _rules(api, project)[0]["tag_selectors"]] == ["v*"]
    assert admin.fill(f"{path}/{rule['id']}/switch").notice == "The rule is disabled."
    assert _rules(api, project)[0]["disabled"] is True
    assert "Disabled" in admin.open(path, part="list").words
    assert admin.post(f"{path}/{rule['id']}/switch", {"disabled": "False"}).status == 409
    assert admin.fill(f"{path}/{rule['id']}/switch").notice == "The rule is in force."
    assert admin.fill(f"{path}/{rule['id']}/delete").notice == "The rule is deleted."
    assert _rules(api, project) == []


@pytest.mark.parametrize("changed", [{"repo_pattern": ""}, {"tag_pattern": ""}, {"tag_pattern": "t" * 256}], ids=str)
def test_a_refused_rule_keeps_what_was_typed(api: Api, changed: dict[str, str]) -> None:
    project = api.project()
    path = f"/projects/{project}/immutable-tags/new"
    refused = person(api).fill(path, {"repo_pattern": "app/**", **changed}, part="sheet")
    assert (refused.status, 'role="alert"' in refused.html) == (400, True)
    assert ("repo_pattern", changed.get("repo_pattern", "app/**")) in refused.form(path).fields
    assert _rules(api, project) == []


def test_the_rule_of_another_project_is_not_found_here(api: Api) -> None:
    project, other = api.project(), api.project()
    number, admin = _rule(api, other), person(api)
    assert admin.open(f"/projects/{project}/immutable-tags/{number}/edit").status == 404
    assert admin.post(f"/projects/{project}/immutable-tags/{number}/delete").status == 404
    assert [each["id"] for each in _rules(api, other)] == [number]


def test_a_rule_is_tried_before_it_is_made_and_before_it_is_changed(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "app", "v1", "v2", "latest")
    admin, path = person(api, api.member(project, "maintainer")), f"/projects/{project}/immutable-tags"
    asked = {
        "repo_decoration": "repoMatches", "repo_pattern": "**", "tag_decoration": "matches", "tag_pattern": "v*",
        "do": "try",
    }  # fmt: skip
    tried = admin.post(f"{path}/new", asked, part="sheet")
    assert (tried.status, _rules(api, project)) == (200, [])
    assert "It would hold 2 tags of those here now:" in tried.words
    assert (f"{project}/app:v1" in tried.words, f"{project}/app:v2" in tried.words, "latest" in tried.words) == (
        True, True, False,
    )  # fmt: skip
    assert 'value="v*"' in tried.html
    none = admin.post(f"{path}/new", asked | {"tag_pattern": "w*"})
    assert "It would hold none of the tags that are here now" in none.words
    wrong = admin.post(f"{path}/new", asked | {"tag_pattern": "["})
    assert wrong.status == 400
    number = _rule(api, project)
    changed = admin.post(f"{path}/{number}/edit", asked | {"tag_pattern": "latest"})
    assert "It would hold 1 tag of those here now" in changed.words
    assert [rule["tag_selectors"][0]["pattern"] for rule in _rules(api, project)] == ["release-*"]
