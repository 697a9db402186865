"""The pages in a real browser, and the browser's own watchfulness: what it is to find, it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.portal.browser import no_violations, opened, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.e2e.system import Person, System
    from tests.portal.browser import Complaints


@pytest.mark.parametrize("path", ["/", "/sign-in", "/projects"])
def test_page_for_everybody_is_without_fault(browser_page: Page, path: str) -> None:
    answer = browser_page.goto(path)
    assert answer
    assert answer.status == 200
    expect(browser_page.get_by_role("heading", level=1)).to_be_visible()
    no_violations(browser_page)


def test_somebody_signs_in_and_finds_the_first_page_without_fault(browser_page: Page, admin: Person) -> None:
    sign_in(browser_page, admin)
    expect(browser_page.get_by_role("heading", level=1)).to_be_visible()
    no_violations(browser_page)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("console.warn('as a warning')", "as a warning"),
        ("setTimeout(() => { throw new Error('as an error') })", "as an error"),
        ("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x')", "Content Security Policy"),
        ("document.head.append(Object.assign(document.createElement('script'), {src: 'https://elsewhere.test/x'}))",
         "Content Security Policy"),
        ("fetch('/absent').catch(() => 0)", "404"),
    ],
)  # fmt: skip
def test_complaint_of_the_browser_is_heard(system: System, browser: Browser, script: str, said: str) -> None:
    with opened(browser, system.url) as (page, complaints):
        page.goto("/sign-in")
        assert complaints.found == []
        page.evaluate(f"() => {{ {script} }}")
        page.wait_for_timeout(500)
        assert any(said in complaint for complaint in complaints.found), complaints.found


def test_axe_finds_what_is_wrong_on_a_page(browser_page: Page) -> None:
    browser_page.goto("/sign-in")
    browser_page.evaluate("document.querySelector('main label[for]').remove()")
    with pytest.raises(AssertionError, match="label: Form elements must have labels"):
        no_violations(browser_page)


def test_page_that_is_too_wide_for_a_phone_is_told(browser_page: Page) -> None:
    browser_page.goto("/sign-in")
    browser_page.evaluate("document.querySelector('main').style.width = '700px'")
    with pytest.raises(AssertionError, match="390 px: the page is"):
        no_violations(browser_page)


def test_only_what_was_provoked_is_forgiven(browser_page: Page, complaints: Complaints) -> None:
    browser_page.goto("/sign-in")
    with pytest.raises(AssertionError, match="nothing was said"):
        complaints.forgive("404")
    browser_page.goto("/absent")
    complaints.forgive("404")
