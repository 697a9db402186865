"""The pages of one thing, and those with nothing to show, as an administrator finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.portal.browser import sign_in
from tests.portal.judging import judge
from tests.portal.places import DETAILS, STATES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.system import Person
    from tests.portal.browser import Complaints


@pytest.mark.parametrize("path", DETAILS.values(), ids=DETAILS)
def test_a_page_is_without_fault(
    browser_page: Page, complaints: Complaints, admin: Person, filled: dict[str, str], path: str
) -> None:
    sign_in(browser_page, admin)
    judge(browser_page, complaints, path.format(**filled))


@pytest.mark.parametrize(("path", "status"), STATES.values(), ids=STATES)
def test_a_page_with_nothing_to_show_is_without_fault(
    browser_page: Page, complaints: Complaints, admin: Person, filled: dict[str, str], path: str, status: int
) -> None:
    sign_in(browser_page, admin)
    judge(browser_page, complaints, path.format(**filled), status)


def test_a_button_stays_as_it_is_while_the_part_of_the_page_around_it_looks_for_news(
    browser_page: Page, admin: Person, filled: dict[str, str]
) -> None:
    page, path = browser_page, DETAILS["delivery"].format(**filled)
    sign_in(page, admin)
    page.goto(path)
    page.route(f"**{path}*", lambda _: None)  # never answered
    expect(page.locator("#list.htmx-request")).to_be_attached()
    button = page.get_by_role("button", name="Send again")
    assert button.evaluate("button => getComputedStyle(button).opacity") == "1"
