"""Robot accounts of the system in the portal."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pytest

from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.portal.browsing import HOSTILE, Browser, Reading

_numbers = count(1)


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def make(admin: Browser, **more: object) -> tuple[str, str, str]:
    """A robot account made by the form: its plain name, its full name and its secret."""
    name = f"portal{next(_numbers)}"
    answer = admin.post("/admin/robots/new", {"name": name, "duration": "30", "may": "pull", "where": "all"} | more)
    assert answer.status_code == 200, answer.text
    copied = re.findall(r'data-copy="([^"]*)"', answer.text)
    assert copied[2] == f"docker login registry.test -u &#39;{copied[0]}&#39;"
    assert answer.headers["cache-control"] == "no-store"
    return name, copied[0], copied[1]


def robot_of(api: Api, name: str) -> dict[str, Any]:
    (found,) = api.get(f"/robots?q=name={name}").json
    return dict(found)


def access(robot: dict[str, Any]) -> dict[str, set[str]]:
    return {
        each["namespace"]: {f"{pair['resource']}:{pair['action']}" for pair in each["access"]}
        for each in robot["permissions"]
    }


def test_the_secret_is_shown_once_and_signs_in(api: Api, admin: Browser) -> None:
    name, full, secret = make(admin, description=HOSTILE)
    assert full == f"robot${name}"
    assert api.get("/projects/library/repositories", Caller(name=full, password=secret)).status_code == 200
    shown = admin.get(f"/admin/robots?q={name}").text
    assert secret not in shown
    assert HOSTILE in Reading(shown).text
    assert "<script>alert" not in shown
    robot = robot_of(api, name)
    assert "repository:pull" in access(robot)["*"]
    assert "repository:push" not in access(robot)["*"]


def test_permissions_are_given_in_named_projects_and_to_the_system(api: Api, admin: Browser) -> None:
    one, two = api.project(), api.project()
    ticked = ["repository:pull", "tag:list"]
    name, *_ = make(
        admin, may="chosen", where="some", projects=f"{one}\n {two}, {one}", access=ticked, system=["user:list"]
    )
    assert access(robot_of(api, name)) == {one: set(ticked), two: set(ticked), "/": {"user:list"}}
    only_system, *_ = make(admin, may="none", system=["quota:read"])
    assert access(robot_of(api, only_system)) == {"/": {"quota:read"}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": HOSTILE}, "lower case letters and digits"),
        ({"may": "none"}, "needs at least one permission"),
        ({"duration": "99999"}, "The duration must be"),
    ],
)
def test_what_cannot_be_is_told_and_what_was_typed_stays(admin: Browser, fields: dict[str, str], said: str) -> None:
    given = {"name": "fit", "description": HOSTILE, "duration": "7", "may": "push", "where": "all"} | fields
    answer = admin.post("/admin/robots/new", given)
    page = Reading(answer.text)
    assert answer.status_code == 400
    assert said in page.text
    assert (page.values()["name"], page.values()["description"]) == (given["name"], HOSTILE)
    assert page.values()["duration"] == given["duration"]
    assert "<script>alert" not in answer.text


def test_an_account_is_changed_and_what_the_form_does_not_show_is_kept(api: Api, admin: Browser) -> None:
    name, *_ = make(admin, forever="on", may="push")
    robot = robot_of(api, name)
    path = f"/admin/robots/{robot['id']}/edit"
    assert admin.read(path).values()["forever"] == "on"
    project = api.project()
    fields = {"description": "changed", "duration": "9", "may": "pull", "where": "some", "projects": project}
    admin.post(path, fields)
    changed = robot_of(api, name)
    assert (changed["description"], changed["duration"], set(access(changed))) == ("changed", 9, {project})


def test_permissions_that_differ_between_projects_are_kept_unless_chosen_anew(api: Api, admin: Browser) -> None:
    one, two, name = api.project(), api.project(), f"portal{next(_numbers)}"
    given = [
        {"kind": "project", "namespace": each, "access": [{"resource": "repository", "action": action}]}
        for each, action in ((one, "pull"), (two, "push"))
    ]
    body = {"name": name, "level": "system", "duration": 5, "permissions": given}
    assert api.send("POST", "/robots", ADMIN, body).status_code == 201
    before = robot_of(api, name)
    path = f"/admin/robots/{before['id']}/edit"
    assert "it differs between projects" in admin.read(path).text
    admin.post(path, {"description": "new", "duration": "5", "may": "kept", "where": "some"})
    after = robot_of(api, name)
    assert after["description"] == "new"
    assert access(after) == access(before)


def test_a_renewed_secret_takes_the_place_of_the_old_one(api: Api, admin: Browser) -> None:
    name, full, secret = make(admin)
    path = f"/admin/robots/{robot_of(api, name)['id']}/secret"
    assert "stops working at once" in admin.read(path).text
    answer = admin.post(path, {})
    renewed = re.findall(r'data-copy="([^"]*)"', answer.text)[1]
    asked = "/projects/library/repositories?page_size=1"
    assert api.get("/users/current", Caller(name=full, password=secret)).status_code == 401
    assert api.get(asked, Caller(name=full, password=renewed)).status_code == 200


def test_an_account_is_disabled_enabled_and_deleted(api: Api, admin: Browser) -> None:
    name, full, secret = make(admin, description="kept")
    number = robot_of(api, name)["id"]
    admin.post(f"/admin/robots/{number}/switch", {})
    assert (robot_of(api, name)["disable"], robot_of(api, name)["description"]) == (True, "kept")
    assert "Disabled" in admin.read(f"/admin/robots?q={name}").text
    assert api.get("/users/current", Caller(name=full, password=secret)).status_code == 401
    admin.post(f"/admin/robots/{number}/switch", {})
    assert robot_of(api, name)["disable"] is False
    assert "every project" in admin.read(f"/admin/robots/{number}/delete").text
    answer = admin.post(f"/admin/robots/{number}/delete", {})
    assert f"Robot account {full} is deleted." in Reading(answer.text).text
    assert api.get(f"/robots/{number}").status_code == 404


def test_the_list_is_a_part_and_says_what_to_do_where_it_is_empty(api: Api, admin: Browser) -> None:
    make(admin)
    assert "<h1" not in admin.get("/admin/robots", part="list").text
    assert "No robot account matches" in admin.read("/admin/robots?q=nothing-like-this").text
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM core.robots WHERE project_id IS NULL")
    assert "No robot accounts yet" in admin.read("/admin/robots").text
