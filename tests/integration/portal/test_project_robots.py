"""The robot accounts of a project in the portal: the secret is shown once, and only what one may can be granted."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from gateway.portal.pages.robots import state_of
from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import Shown, person


def _robots(api: Api, project: str) -> dict[str, dict[str, object]]:
    number = api.get(f"/projects/{project}").json["project_id"]
    return {each["name"]: each for each in api.get(f"/robots?q=Level%3Dproject%2CProjectID%3D{number}").json}


def _secret(page: Shown, name: str) -> str:
    """The secret that a page shows beside the name."""
    copied = re.findall(r'data-copy="([^"]*)"', page.html)
    assert copied[0] == name
    return copied[1]


def _works(api: Api, name: str, secret: str, project: str) -> bool:
    return api.get(f"/projects/{project}/repositories", Caller(name=name, password=secret)).status_code == 200


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", "act"), ("maintainer", "see"), ("developer", "see"), ("guest", "see"), ("limitedGuest", "")],
)
def test_a_role_sees_and_is_offered_what_it_may(api: Api, role: str, may: str) -> None:
    project = api.project()
    path, robot = f"/projects/{project}/robots", api.robot(project, ("repository", "pull"))
    number = _robots(api, project)[robot.name]["id"]
    member = person(api, api.member(project, role))
    page = member.open(path)
    assert (page.status, robot.name in page.words) == ((200, True) if may else (403, False))
    forms = [f"{path}/new", *(f"{path}/{number}/{verb}" for verb in ("edit", "secret", "disable", "delete"))]
    assert [page.offers(form) for form in forms] == [may == "act"] * 5
    assert [member.open(form).status for form in forms] == [200 if may == "act" else 403] * 5
    assert member.post(f"{path}/{number}/delete").status == (303 if may == "act" else 403)
    assert (robot.name in _robots(api, project)) is (may != "act")


def test_a_robot_account_is_made_with_a_preset_and_its_secret_is_shown_once(api: Api) -> None:
    project = api.project()
    admin, path = person(api, api.member(project, "projectAdmin")), f"/projects/{project}/robots"
    assert "No robot accounts" in admin.open(path).words
    ticked = admin.post(f"{path}/new", {"name": "ci", "description": "builds", "duration": "7", "preset": "push"})
    assert (ticked.status, _robots(api, project)) == (200, {})
    fields = ticked.form(f"{path}/new").fields
    assert ("name", "ci") in fields
    assert ("access", "repository:push") in fields
    values = {"name": "ci", "description": "builds", "duration": "7", "access": [v for n, v in fields if n == "access"]}
    made = admin.post(f"{path}/new", values)
    name = f"robot${project}+ci"
    assert f"docker login registry.test --username &#39;{name}&#39;" in made.html
    assert _works(api, name, _secret(made, name), project)
    robot = _robots(api, project)[name]
    assert (robot["description"], robot["duration"]) == ("builds", 7)
    assert {"resource": "repository", "action": "push", "effect": "allow"} in robot["permissions"][0]["access"]  # type: ignore[index]
    secret, again = _secret(made, name), admin.post(f"{path}/new", values)
    assert again.status == 409
    assert secret not in again.html + admin.open(path).html


def test_a_new_secret_takes_the_place_of_the_old_one(api: Api) -> None:
    project = api.project()
    robot = api.robot(project, ("repository", "list"))
    path = f"/projects/{project}/robots/{_robots(api, project)[robot.name]['id']}/secret"
    admin = person(api)
    assert "stops working at once" in admin.open(path).words
    assert _works(api, robot.name, robot.password, project)
    secret = _secret(admin.fill(path), robot.name)
    assert _works(api, robot.name, secret, project)
    assert not _works(api, robot.name, robot.password, project)


def test_a_robot_account_is_edited_disabled_enabled_and_deleted(api: Api) -> None:
    project = api.project()
    robot = api.robot(project, ("repository", "list"), ("repository", "pull"))
    path = f"/projects/{project}/robots/{_robots(api, project)[robot.name]['id']}"
    admin = person(api)
    assert admin.fill(f"{path}/disable", part="sheet").notice == f"{robot.name} is disabled."
    page = admin.open(f"/projects/{project}/robots")
    assert "Disabled" in page.words
    assert not page.offers(f"{path}/disable")
    changed = {"description": HOSTILE, "never": [], "duration": "30", "access": "repository:list"}
    edited = admin.fill(f"{path}/edit", changed)
    assert edited.status == 303
    stored = _robots(api, project)[robot.name]
    assert (stored["description"], stored["duration"], stored["disable"]) == (HOSTILE, 30, True)
    kept = [{"resource": "repository", "action": "list", "effect": "allow"}]
    assert stored["permissions"][0]["access"] == kept  # type: ignore[index]
    listed = admin.open(f"/projects/{project}/robots")
    assert "<script>alert" not in listed.html
    assert admin.post(f"{path}/enable").notice == f"{robot.name} is enabled."
    assert _works(api, robot.name, robot.password, project)
    assert _robots(api, project)[robot.name]["description"] == HOSTILE
    assert admin.fill(f"{path}/delete").notice == f"{robot.name} is deleted."
    assert _robots(api, project) == {}


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"name": HOSTILE}, 400), ({"duration": "0"}, 400), ({"duration": ""}, 400), ({"duration": "soon"}, 400),
        ({"access": []}, 400), ({"access": "robot:update"}, 400), ({"access": HOSTILE}, 400),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_said_and_nothing_is_made(api: Api, changed: dict[str, str], status: int) -> None:
    project = api.project()
    path, values = f"/projects/{project}/robots/new", {"name": "ci", "duration": "9", "access": "repository:pull"}
    refused = person(api).post(path, values | changed)
    assert (refused.status, 'role="alert"' in refused.html) == (status, True)
    fields = dict(refused.form(path).fields)
    assert (fields["name"], fields["duration"]) == ((values | changed)["name"], (values | changed)["duration"])
    assert "<script>alert" not in refused.html
    assert _robots(api, project) == {}


def test_the_robot_account_of_another_project_is_not_found_here(api: Api) -> None:
    project, other = api.project(), api.project()
    robot = api.robot(other, ("repository", "list"))
    number = _robots(api, other)[robot.name]["id"]
    admin = person(api, ADMIN)
    assert admin.open(f"/projects/{project}/robots/{number}/edit").status == 404
    assert admin.post(f"/projects/{project}/robots/{number}/delete").status == 404
    assert robot.name in _robots(api, other)


def test_the_state_says_what_a_robot_account_is_worth() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ends = {days: int((now + timedelta(days=days)).timestamp()) for days in (-1, 3, 30)}
    told = [state_of({"disable": False, "expires_at": each}, now) for each in (*ends.values(), -1)]
    assert told == ["expired", "soon", "active", "active"]
    assert state_of({"disable": True, "expires_at": -1}, now) == "disabled"
