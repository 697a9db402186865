"""What no page may lack, whichever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from playwright.sync_api import expect

from tests.portal.browser import no_violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.portal.browser import Complaints


def judge(page: Page, complaints: Complaints, path: str, status: int = requests.codes.ok) -> None:
    """Go there: one heading, no fault that axe can tell, and no complaint but of an expected status."""
    answer = page.goto(path)
    assert answer
    assert answer.status == status
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    no_violations(page)
    if status >= requests.codes.bad_request:
        complaints.forgive(str(status))
