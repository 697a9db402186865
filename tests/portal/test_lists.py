"""Lists in a browser: what stands beside one goes with its address, and the tab of a page is in sight."""

from __future__ import annotations

import re
import socket
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.clients.images import make_image
from tests.e2e.replicating import push_to, replicating
from tests.portal.browser import PHONE, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.e2e.system import Person, System


@pytest.fixture
def prefix(system: System) -> str:
    """Of the names of projects enough for two pages."""
    prefix = f"list-{token_hex(3)}"
    for number in range(27):
        system.admin.create_project(f"{prefix}-{number:02}", public=number % 2 == 0)
    return prefix


def first(page: Page) -> str:
    return page.locator("#list tbody th").first.inner_text()


def test_a_search_keeps_the_order_that_was_chosen_and_begins_at_the_first_page(
    browser_page: Page, admin: Person, prefix: str
) -> None:
    page = browser_page
    sign_in(page, admin)
    page.goto(f"/projects?q={prefix}&sort=name")
    page.get_by_role("link", name="Name", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-name"))
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(re.compile("page=2"))
    page.get_by_role("searchbox", name="Search projects by name").fill(f"{prefix}-1")
    expect(page).to_have_url(re.compile(f"q={prefix}-1&sort=-name$"))
    expect(page.locator("#list")).to_contain_text("10 projects")
    assert first(page) == f"{prefix}-19"


def test_a_filter_keeps_the_order_and_the_search(browser_page: Page, admin: Person, prefix: str) -> None:
    page = browser_page
    sign_in(page, admin)
    page.goto("/projects")
    page.get_by_role("searchbox", name="Search projects by name").fill(prefix)
    expect(page.locator("#list")).to_contain_text("27 projects")
    page.get_by_role("link", name="Name", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-name"))
    page.get_by_role("link", name="Private").click()
    expect(page.locator("#list")).to_contain_text("13 projects")
    assert first(page) == f"{prefix}-25"
    page.get_by_role("searchbox", name="Search projects by name").fill(f"{prefix}-0")
    expect(page.locator("#list")).to_contain_text("5 projects")
    assert first(page) == f"{prefix}-09"


def test_a_list_is_dimmed_while_its_own_search_is_answered_and_by_no_other_request(
    browser_page: Page, admin: Person, prefix: str
) -> None:
    page = browser_page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    sign_in(page, admin)
    page.route("**/attention", hold)
    page.goto("/")
    expect(page.locator("#attention.htmx-request")).to_be_attached()
    assert page.locator("#list").evaluate("list => getComputedStyle(list).opacity") == "1"
    held.pop().continue_()
    expect(page.locator("#attention.htmx-request")).to_have_count(0)

    page.goto("/projects")
    page.route(f"**/projects?q={prefix}*", hold)
    page.get_by_role("searchbox", name="Search projects by name").fill(prefix)
    expect(page.locator("#list")).to_have_css("opacity", "0.6")
    held.pop().continue_()
    expect(page.locator("#list")).to_contain_text("27 projects")
    expect(page.locator("#list")).to_have_css("opacity", "1")


@pytest.mark.parametrize("tab", ["Repositories", "Immutable tags", "Settings"])
def test_the_tab_of_a_page_is_in_sight_on_a_phone(browser_page: Page, admin: Person, project: str, tab: str) -> None:
    page = browser_page
    page.set_viewport_size(PHONE)
    sign_in(page, admin)
    page.goto(f"/projects/{project}")
    page.get_by_role("navigation", name="Project").get_by_role("link", name=tab).click()
    chosen = page.get_by_role("navigation", name="Project").locator("[aria-current]")
    expect(chosen).to_have_text(tab)
    expect(chosen).to_be_in_viewport(ratio=0.99)


def test_what_is_typed_stays_while_an_execution_is_looked_at_anew(
    browser_page: Page, system: System, admin: Person
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, replicating(system) as replication:
        registry = replication.registry(f"http://127.0.0.1:{silent.getsockname()[1]}")
        project = system.new_project()
        push_to(system, f"{project}/web", "v1", make_image(project))
        number = replication.begin(replication.policy(project, to=registry))
        page = browser_page
        sign_in(page, admin)
        page.goto(f"/replication/executions/{number}")
        box = page.get_by_role("searchbox", name="Search tasks by what is copied")
        box.focus()
        for letter in "web":
            page.keyboard.type(letter)
            with page.expect_response(lambda answer: f"/executions/{number}" in answer.url):
                page.wait_for_timeout(100)
        for _ in range(2):
            with page.expect_response(lambda answer: "q=web" in answer.url):
                page.wait_for_timeout(100)
        expect(box).to_have_value("web")
        expect(box).to_be_focused()
        expect(page.locator("#progress")).to_have_count(1)
        replication.stop(number)
        expect(page.locator("#progress")).to_contain_text("stopped by")
