"""A day's work in the browser: a developer's, an administrator's, and what each role is offered."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.rest import repository_path
from tests.e2e.system import Person
from tests.integration.remote_rig import distribution
from tests.portal.browser import opened, sheet, sign_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.e2e.system import System

ROLES = {"projectAdmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedGuest": 5}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of a plain registry."""
    with distribution() as plain:
        yield plain.url


def somebody(system: System, project: str | None = None, role: str = "") -> Person:
    """A new account, with a role in a project where one is named."""
    name, password = f"p{token_hex(4)}", f"Aa1{token_hex(8)}"
    made = system.admin.must("POST", "/users", json={
        "username": name, "realname": name, "email": f"{name}@example.test", "comment": "", "password": password,
    })  # fmt: skip
    if project:
        system.admin.add_member(project, name, role)
    return Person(name=name, password=password, id=int(made.headers["Location"].rpartition("/")[2]))


def test_a_developer_finds_an_image_copies_its_command_and_sees_a_push_arrive(
    system: System, browser_page: Page, project: str, tmp_path: Path
) -> None:
    page, developer = browser_page, somebody(system, project, "developer")
    system.registry().push(f"{project}/shop/web", "v1", make_image(project))
    eventually(lambda: system.admin.artifacts(f"{project}/shop/web"), within=20, what="it is catalogued")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, developer)

    page.keyboard.press("/")
    page.keyboard.type(f"{project}/shop")
    page.keyboard.press("Enter")
    page.get_by_role("main").get_by_role("link", name="shop/web").first.click()
    expect(page.locator("main h1")).to_contain_text("web")

    row = page.locator("#list tr", has_text="v1")
    row.get_by_role("button", name=re.compile("docker")).click()
    expect(page.get_by_role("status").first).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"docker pull {system.host}/{project}/shop/web:v1"

    system.registry().push(f"{project}/shop/source", "v2", make_image(f"{project}/2"))
    skopeo = system.skopeo(tmp_path / "auth.json")
    assert skopeo.login(developer.name, developer.password).ok
    assert skopeo.pull(f"{project}/shop/source:v2", tmp_path / "image").ok
    pushed = skopeo.push(tmp_path / "image", "pulled", f"{project}/shop/web:v2")
    assert pushed.ok, pushed.said
    expect(page.locator("#list")).to_contain_text("v2")

    page.reload()
    expect(page.locator("#list")).to_contain_text("v2")
    page.go_back()
    expect(page.get_by_role("main")).to_contain_text("shop/web")


def test_an_administrator_goes_from_a_user_to_a_copied_image_and_deletes_it(
    system: System, browser_page: Page, admin: Person, elsewhere: str
) -> None:
    page, name, project = browser_page, f"u{token_hex(4)}", f"tour-{token_hex(4)}"
    sign_in(page, admin)
    make_user(page, name)
    make_project(page, project)
    add_member(page, name)
    assert system.login(f"robot${project}+ci", make_robot(page)) == 200

    system.registry().push(f"{project}/app", "v1", make_image(project))
    eventually(lambda: system.admin.artifacts(f"{project}/app"), within=20, what="it is catalogued")
    set_up_registry(page, f"away-{project}", elsewhere)
    make_policy(page, f"copy-{project}", registry=f"away-{project}", repositories=f"{project}/**")
    (policy,) = system.admin.get("/replication/policies", name=f"copy-{project}")
    page.goto(f"/replication/policies/{policy['id']}/run")
    page.get_by_role("main").get_by_role("button", name="Run now").click()
    expect(page.locator("main h1")).to_contain_text("Execution")
    expect(page.get_by_role("main")).to_contain_text(re.compile("succeeded", re.IGNORECASE), timeout=30_000)

    page.goto(f"/audit?resource={project}")
    expect(page.locator("#list")).to_contain_text(project)

    system.admin.must("DELETE", repository_path(f"{project}/app"))
    page.goto(f"/projects/{project}/settings")
    page.get_by_role("link", name="Delete project").click()
    sheet(page).get_by_label("Type its name to delete it").fill(project)
    sheet(page).get_by_role("button", name="Delete project").click()
    expect(page.locator("main h1")).to_have_text("Projects")
    expect(page.locator("#list")).not_to_contain_text(project)


def make_user(page: Page, name: str) -> None:
    page.goto("/admin/users")
    page.get_by_role("link", name="New user").first.click()
    form = sheet(page)
    form.get_by_label("User name").fill(name)
    form.get_by_label("Real name").fill("Tours Guide")
    form.get_by_label("E-mail").fill(f"{name}@example.test")
    form.get_by_label("Password").fill(f"Aa1{token_hex(8)}")
    form.get_by_role("button", name="Make user").click()
    expect(page.get_by_role("status").first).to_contain_text(name)


def make_project(page: Page, project: str) -> None:
    page.goto("/projects")
    page.get_by_role("link", name="New project").first.click()
    sheet(page).get_by_label("Name").fill(project)
    sheet(page).get_by_role("button", name="Make project").click()
    expect(page.locator("main h1")).to_have_text(project)


def add_member(page: Page, name: str) -> None:
    page.get_by_role("link", name="Members").click()
    page.get_by_role("link", name="Add member").first.click()
    sheet(page).get_by_label("Name", exact=True).fill(name)
    sheet(page).get_by_role("button", name="Add member").click()
    expect(page.locator("#list")).to_contain_text(name)


def make_robot(page: Page) -> str:
    """The secret as the page shows it, once."""
    page.get_by_role("navigation", name="Project").get_by_role("link", name="Robot accounts").click()
    page.get_by_role("link", name="New robot account").first.click()
    form = sheet(page)
    form.get_by_label("Name", exact=False).first.fill("ci")
    form.get_by_role("button", name=re.compile("pull and push", re.IGNORECASE)).click()
    expect(form.get_by_label("repository: push")).to_be_checked()
    form.get_by_role("button", name="Make robot account").click()
    expect(sheet(page).get_by_role("heading", level=2)).to_contain_text("Secret of")
    page.keyboard.press("Escape")
    expect(sheet(page).get_by_role("heading", level=2)).to_contain_text("Secret of")
    secret = page.get_by_role("button", name="Copy the secret").get_attribute("data-copy")
    assert secret
    return secret


def set_up_registry(page: Page, name: str, url: str) -> None:
    page.goto("/replication/registries")
    page.get_by_role("link", name="New registry").first.click()
    form = sheet(page)
    form.get_by_label("Name", exact=False).first.fill(name)
    form.get_by_label("Type").select_option("docker-registry")
    form.get_by_label("Address").fill(url)
    form.get_by_role("button", name=re.compile("^Test")).click()
    expect(form.locator("#tested .notice")).to_be_visible()
    form.get_by_role("button", name="Set up registry").click()
    expect(page.locator("#list")).to_contain_text(name)


def make_policy(page: Page, name: str, *, registry: str, repositories: str) -> None:
    page.goto("/replication/policies-new")
    form = page.get_by_role("main")
    form.get_by_label("Name", exact=False).first.fill(name)
    offered = form.locator("#f-registry option", has_text=registry)
    form.get_by_label("Other registry").select_option(value=offered.get_attribute("value"))
    form.get_by_label("Repositories").fill(repositories)
    form.locator("button[type=submit]").last.click()
    expect(page.get_by_role("main")).to_contain_text(name)


@pytest.mark.parametrize(
    ("role", "tabs"),
    [
        ("projectAdmin", {"Repositories", "Members", "Robot accounts", "Labels", "Tag retention", "Immutable tags",
                          "Webhooks", "Audit log", "Settings"}),
        ("maintainer", {"Repositories", "Members", "Robot accounts", "Labels", "Tag retention", "Immutable tags",
                        "Webhooks"}),
        ("developer", {"Repositories", "Members", "Robot accounts", "Labels", "Tag retention"}),
        ("guest", {"Repositories", "Members", "Robot accounts", "Labels"}),
        ("limitedGuest", set()),
    ],
)  # fmt: skip
def test_each_role_is_offered_what_it_may_do(
    system: System, browser: Browser, project: str, role: str, tabs: set[str]
) -> None:
    person = somebody(system, project, role)
    with opened(browser, system.url) as (page, complaints):
        sign_in(page, person)
        page.goto(f"/projects/{project}")
        expect(page.locator("main h1")).to_have_text(project)
        shown = page.get_by_role("navigation", name="Project").get_by_role("link").all_inner_texts()
        assert set(shown) == tabs
        assert page.get_by_role("heading", name="Administration").count() == 0
        assert complaints.found == []


def test_the_first_image_shows_by_itself_where_nothing_was(system: System, browser_page: Page, project: str) -> None:
    person = somebody(system, project, "developer")
    sign_in(browser_page, person)
    browser_page.goto(f"/projects/{project}")
    expect(browser_page.get_by_text("Push the first image")).to_be_visible()
    browser_page.wait_for_timeout(500)
    system.registry().push(f"{project}/first", "v1", make_image(project))
    expect(browser_page.locator("#list").get_by_role("link", name="first")).to_be_visible()
