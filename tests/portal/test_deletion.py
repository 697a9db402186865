"""The end of a large repository, as whoever deletes it follows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.portal.browser import no_violations, sheet, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.e2e.system import Person, System
    from tests.portal.browser import Complaints

ARTIFACTS = 40


def test_the_deletion_of_a_large_repository_is_followed_stopped_and_gone_on_with(
    system: System, browser_page: Page, complaints: Complaints, admin: Person, project: str
) -> None:
    page, registry, repository = browser_page, system.registry(), f"{project}/big"
    for number in range(ARTIFACTS):
        registry.push(repository, f"v{number}", make_image(f"{project} {number}"))

    def left() -> int:
        return len(system.admin.artifacts(repository))

    eventually(lambda: left() == ARTIFACTS, within=30, what="they are catalogued")
    sign_in(page, admin)
    page.goto(f"/projects/{project}")
    page.get_by_role("link", name="Delete big").click()
    form = sheet(page)
    form.get_by_role("textbox").fill("big")
    form.get_by_role("button", name="Delete repository").click()
    far = re.compile(rf"\d+ of {ARTIFACTS} artifacts are deleted")
    expect(form.get_by_role("status")).to_contain_text(far, timeout=20_000)
    form.get_by_role("button", name="Stop").click()
    expect(form.get_by_role("heading", level=2)).to_have_text("Stopped deleting big")
    no_violations(page)
    assert 0 < settled(page, left) < ARTIFACTS
    form.get_by_role("button", name="Go on deleting").click()
    expect(page.get_by_role("status").first).to_contain_text("Repository big is deleted.", timeout=30_000)
    assert page.locator("dialog[open]").count() == 0
    forgive_abort(complaints)


def test_a_deletion_stops_where_its_dialog_is_closed(
    system: System, browser_page: Page, complaints: Complaints, admin: Person, project: str
) -> None:
    page, registry, repository = browser_page, system.registry(), f"{project}/big"
    for number in range(ARTIFACTS):
        registry.push(repository, f"v{number}", make_image(f"{project} {number}"))
    eventually(lambda: len(system.admin.artifacts(repository)) == ARTIFACTS, within=30, what="they are catalogued")
    sign_in(page, admin)
    page.goto(f"/projects/{project}")
    page.get_by_role("link", name="Delete big").click()
    sheet(page).get_by_role("textbox").fill("big")
    sheet(page).get_by_role("button", name="Delete repository").click()
    expect(sheet(page).get_by_role("status")).to_contain_text("artifacts are deleted", timeout=20_000)
    page.keyboard.press("Escape")
    expect(page.locator("dialog#sheet")).to_be_hidden()
    assert settled(page, lambda: len(system.admin.artifacts(repository))) > 0
    assert page.locator("dialog[open]").count() == 0
    forgive_abort(complaints)


def settled(page: Page, left: Callable[[], int]) -> int:
    """What is left when nothing goes any more: a part that was begun is brought to its end."""
    before = -1
    while before != (now := left()):
        before = now
        page.wait_for_timeout(3000)
    return now


def forgive_abort(complaints: Complaints) -> None:
    """Of the request that the stop broke off; none was under way where a part had just been answered."""
    if complaints.found:
        complaints.forgive("htmx:sendAbort")
        complaints.forgive("htmx:afterRequest")
