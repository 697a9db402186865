"""Every page as its administrator finds it: one heading, no fault that axe can tell, no complaint of the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.portal.browser import no_violations, sign_in
from tests.portal.demo import parts_of, seed
from tests.portal.places import DETAILS, PLACES, STATES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.system import Person, System
    from tests.portal.browser import Complaints


@pytest.fixture(scope="module")
def filled(system: System) -> dict[str, str]:
    """What stands for the names in addresses, in an instance that a company fills."""
    seed(system)
    return parts_of(system)


@pytest.mark.parametrize("path", [*PLACES.values(), *DETAILS.values()], ids=[*PLACES, *DETAILS])
def test_a_page_is_without_fault(browser_page: Page, admin: Person, filled: dict[str, str], path: str) -> None:
    sign_in(browser_page, admin)
    answer = browser_page.goto(path.format(**filled))
    assert answer
    assert answer.status == 200
    expect(browser_page.get_by_role("heading", level=1)).to_have_count(1)
    no_violations(browser_page)


@pytest.mark.parametrize(("path", "status"), STATES.values(), ids=STATES)
def test_a_page_with_nothing_to_show_is_without_fault(
    browser_page: Page, complaints: Complaints, admin: Person, filled: dict[str, str], path: str, status: int
) -> None:
    sign_in(browser_page, admin)
    _judge(browser_page, complaints, path.format(**filled), status)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/users", 403), ("/replication", 403), ("/projects/platform/settings", 403),
        ("/projects/storefront", 403), ("/projects", 200),
    ],
)
def test_a_page_that_is_denied_is_without_fault(
    browser_page: Page, complaints: Complaints, system: System, filled: dict[str, str], path: str, status: int
) -> None:
    assert filled
    sign_in(browser_page, system.new_person())
    _judge(browser_page, complaints, path, status)


def _judge(page: Page, complaints: Complaints, path: str, status: int) -> None:
    answer = page.goto(path)
    assert answer
    assert answer.status == status
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    no_violations(page)
    if status >= 400:
        complaints.forgive(str(status))
