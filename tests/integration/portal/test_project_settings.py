"""The settings of a project in the portal: who sees it, its limit, and its end."""

import pytest

from tests.integration.core.people import Api
from tests.integration.core.rows import artifact_of
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person

GIB = 1024**3


def _limit(api: Api, project: str) -> int:
    number = api.get(f"/projects/{project}").json["project_id"]
    return int(api.get(f"/quotas?reference=project&reference_id={number}").json[0]["hard"]["storage"])


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", True), ("maintainer", False), ("developer", False), ("guest", False), ("limitedGuest", False)],
)
def test_only_project_admins_have_settings_and_only_the_systems_set_limits(
    api: Api, role: str, may: bool  # noqa: FBT001 - a column
) -> None:  # fmt: skip
    project = api.project()
    member, path = person(api, api.member(project, role)), f"/projects/{project}/settings"
    page = member.open(path)
    assert page.status == (200 if may else 403)
    forms = [f"{path}/visibility", f"{path}/delete", f"{path}/quota"]
    assert [page.offers(form) for form in forms] == [may, may, False]
    assert [member.open(form).status for form in forms] == [200 if may else 403, 200 if may else 403, 403]
    assert member.post(f"{path}/quota", {"limit": "5"}).status == 403
    assert member.post(f"{path}/visibility", {"public": "true"}).status == (303 if may else 403)
    assert api.get(f"/projects/{project}").json["metadata"]["public"] == str(may).lower()
    assert member.post(f"{path}/delete", {"name": project}).status == (303 if may else 403)
    assert api.get(f"/projects/{project}").status_code == (404 if may else 200)
    assert person(api).open(f"/projects/{project}/settings").status == (404 if may else 200)


def test_visibility_is_changed_there_and_back(api: Api) -> None:
    project = api.project()
    admin, path = person(api, api.member(project, "projectAdmin")), f"/projects/{project}/settings/visibility"
    assert "Anybody who reaches this registry will be able to" in admin.open(path).words
    opened = admin.fill(path, part="sheet")
    assert (opened.status, opened.went_to) == (200, f"/projects/{project}/settings")
    assert api.get(f"/projects/{project}").json["metadata"]["public"] == "true"
    assert "Whoever is no member loses sight of it" in admin.open(path).words
    assert admin.fill(path).notice == f"Project {project} is private: only members see it."
    assert api.get(f"/projects/{project}").json["metadata"]["public"] == "false"
    assert admin.post(path, {"public": HOSTILE}).status == 400


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"limit": "5", "unlimited": []}, 5 * GIB), ({"limit": "1,5", "unlimited": []}, 3 * GIB // 2),
        ({"limit": "7", "unlimited": "on"}, -1), ({"limit": "0", "unlimited": []}, None),
        ({"limit": "-3", "unlimited": []}, None), ({"limit": HOSTILE, "unlimited": []}, None),
        ({"limit": "1e30", "unlimited": []}, None), ({"limit": "nan", "unlimited": []}, None),
        ({"limit": "", "unlimited": []}, None),
    ],
)  # fmt: skip
def test_a_system_administrator_sets_the_limit(api: Api, fields: dict[str, str], limit: int | None) -> None:
    project = api.project()
    before, path = _limit(api, project), f"/projects/{project}/settings/quota"
    sent = person(api).fill(path, fields)
    assert sent.status == (400 if limit is None else 303)
    assert _limit(api, project) == (before if limit is None else limit)
    if limit is None:
        assert dict(sent.form(path).fields)["limit"] == fields["limit"]
        assert "<script>alert" not in sent.html


def test_a_limit_of_half_a_gibibyte_is_shown_as_it_is(api: Api) -> None:
    project = api.project()
    admin, path = person(api), f"/projects/{project}/settings/quota"
    assert admin.post(path, {"limit": "0.5"}).status == 303
    assert dict(admin.open(path).form(path).fields)["limit"] == "0.5"
    assert "512 MiB" in admin.open(f"/projects/{project}/settings").words


def test_what_is_in_the_way_of_deleting_is_said(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "app", "one")
    admin, path = person(api), f"/projects/{project}/settings/delete"
    page = admin.open(path, part="sheet")
    assert "it still has 1 repository" in page.words
    assert (page.forms, page.offers(f"/projects/{project}")) == ([], True)
    refused = admin.post(path, {"name": project})
    assert (refused.status, "it still has 1 repository" in refused.words) == (412, True)
    assert api.get(f"/projects/{project}").status_code == 200


def test_a_project_is_deleted_only_by_its_name(api: Api) -> None:
    project = api.project()
    admin, path = person(api), f"/projects/{project}/settings/delete"
    for typed in ("", project.upper(), HOSTILE):
        refused = admin.fill(path, {"name": typed})
        assert (refused.status, dict(refused.form(path).fields)["name"]) == (400, typed)
        assert "<script>alert" not in refused.html
    assert api.get(f"/projects/{project}").status_code == 200
    deleted = admin.fill(path, {"name": project})
    assert (deleted.went_to, deleted.notice) == ("/projects", f"Project {project} is deleted.")
    assert api.get(f"/projects/{project}").status_code == 404
