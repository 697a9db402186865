"""Projects whose names are digits alone: pages mean the name, where the API would take it for the id of another."""

from __future__ import annotations

import pytest

from tests.integration.core.people import ADMIN, Api
from tests.integration.core.rows import artifact_of
from tests.integration.portal.browsing import Browser, Reading
from tests.integration.portal.filling import Person


@pytest.fixture
def named(api: Api) -> tuple[str, str]:
    """A project that is named as another one is numbered, and that other one."""
    other = api.project(public=True)
    number = str(api.get(f"/projects/{other}").json["project_id"])
    api.made("/projects", {"project_name": number, "metadata": {"public": "false"}})
    return number, other


@pytest.fixture
def admin(api: Api) -> Person:
    return Person(Browser(api).sign_in(ADMIN))


def members(api: Api, project: str) -> set[str]:
    with api.database.superuser() as connection:
        found = connection.execute(
            "SELECT u.username FROM core.members m JOIN core.projects p ON p.id = m.project_id"
            " JOIN core.users u ON u.id = m.user_id WHERE p.name = %s AND p.deleted_at IS NULL", (project,),
        )  # fmt: skip
        return {row[0] for row in found}


def test_the_project_is_shown_and_found_by_its_name(api: Api, admin: Person, named: tuple[str, str]) -> None:
    name, other = named
    artifact_of(api, name, "app", "v1")
    page = admin.open(f"/projects/{name}")
    assert (page.status, other in page.words) == (200, False)
    assert f"/projects/{name}/repositories/app" in page.links
    listed = admin.open(f"/projects/{name}/repositories/app")
    assert f"docker pull registry.test/{name}/app:v1" in listed.html
    assert admin.open("/projects-new").status == 200
    assert admin.fill("/projects-new", {"name": "98765432"}).went_to == "/projects/98765432"
    assert admin.open("/projects/98765432").status == 200


def test_a_stranger_to_it_is_not_let_in_by_the_other_one(api: Api, named: tuple[str, str]) -> None:
    name, other = named
    stranger = Browser(api).sign_in(api.user())
    assert stranger.get(f"/projects/{other}").status_code == 200
    assert stranger.get(f"/projects/{name}").status_code == 403
    member = Browser(api).sign_in(api.member(other, "projectAdmin"))
    assert member.get(f"/projects/{name}/members").status_code == 403


def test_members_and_robot_accounts_are_its_own(api: Api, admin: Person, named: tuple[str, str]) -> None:
    name, other = named
    user, before = api.user(), members(api, other)
    assert admin.fill(f"/projects/{name}/members/new", {"name": user.name, "role": "2"}).status == 303
    assert user.name in members(api, name)
    assert members(api, other) == before
    page = Browser(api).sign_in(user).read(f"/projects/{name}")
    assert f"/projects/{name}/robots" in page.links()
    made = admin.fill(f"/projects/{name}/robots/new", {"name": "ci"})
    assert f"robot${name}+ci" in made.html
    assert f"robot${name}+ci" in admin.open(f"/projects/{name}/robots").words
    assert "+ci" not in admin.open(f"/projects/{other}/robots").words


@pytest.mark.parametrize("tab", ["labels", "retention", "immutable-tags", "webhooks", "log", "settings"])
def test_every_tab_is_its_own(admin: Person, named: tuple[str, str], tab: str) -> None:
    name, other = named
    page = admin.open(f"/projects/{name}/{tab}")
    assert (page.status, other in page.words) == (200, False)
    assert Reading(page.html).text.count(name) > 0


def test_deleting_it_leaves_the_other_one(admin: Person, named: tuple[str, str]) -> None:
    name, other = named
    path = f"/projects/{name}/settings/delete"
    assert name in admin.open(path).words
    assert admin.fill(path, {"name": other}).status == 400
    assert admin.fill(path, {"name": name}).went_to == "/projects"
    assert admin.open(f"/projects/{name}").status == 404
    assert admin.open(f"/projects/{other}").status == 200
