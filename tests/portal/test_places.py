"""Every page as its administrator finds it: one heading, no fault that axe can tell, no complaint of the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.portal.browser import sign_in
from tests.portal.judging import judge
from tests.portal.places import PLACES

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.system import Person, System
    from tests.portal.browser import Complaints


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_a_page_is_without_fault(
    browser_page: Page, complaints: Complaints, admin: Person, filled: dict[str, str], path: str
) -> None:
    sign_in(browser_page, admin)
    judge(browser_page, complaints, path.format(**filled))


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
    judge(browser_page, complaints, path, status)
