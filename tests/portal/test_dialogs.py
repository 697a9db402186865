"""Every dialog as its administrator finds it: a second heading, no fault that axe can tell, and every one is judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.integration.remote_rig import distribution
from tests.portal.browser import no_violation_as_it_is, no_violations, opened, sheet, sign_in
from tests.portal.demo import parts_of, seed
from tests.portal.places import DETAILS, DIALOGS, PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.e2e.system import Person, System
    from tests.portal.browser import Complaints


@pytest.fixture(scope="module")
def filled(system: System) -> Iterator[dict[str, str]]:
    """What stands for the names in addresses, in an instance that a company fills and that copies elsewhere."""
    seed(system)
    loose = make_image("loose")
    system.registry().push("storefront/web", "loose", loose)
    eventually(
        lambda: any(row["digest"] == loose.digest for row in system.admin.artifacts("storefront/web")), within=20,
        what="it is catalogued",
    )  # fmt: skip
    with distribution() as elsewhere:
        made = system.admin.must("POST", "/registries", json={
            "name": "elsewhere", "type": "docker-registry", "url": elsewhere.url, "insecure": False,
        })  # fmt: skip
        registry = int(made.headers["Location"].rpartition("/")[2])
        made = system.admin.must("POST", "/replication/policies", json={
            "name": "copies", "dest_registry": {"id": registry}, "src_registry": {"id": 0}, "enabled": True,
            "trigger": {"type": "manual"}, "filters": [],
        })  # fmt: skip
        policy = made.headers["Location"].rpartition("/")[2]
        (webhook,) = system.admin.get("/projects/storefront/webhook/policies")
        yield parts_of(system) | {"loose": loose.digest, "policy": policy, "webhook": str(webhook["id"])}
        system.admin.must("DELETE", f"/replication/policies/{policy}")
        system.admin.must("DELETE", f"/registries/{registry}")


@pytest.fixture(scope="module")
def signed_in(system: System, browser: Browser, admin: Person) -> Iterator[tuple[Page, Complaints]]:
    """A page that all of this module's visits are made with: it changes nothing."""
    with opened(browser, system.url) as (page, complaints):
        sign_in(page, admin)
        yield page, complaints


@pytest.mark.parametrize(("path", "address"), DIALOGS.values(), ids=DIALOGS)
def test_a_dialog_is_without_fault(
    signed_in: tuple[Page, Complaints], filled: dict[str, str], path: str, address: str
) -> None:
    page, complaints = signed_in
    open_dialog(page, path.format(**filled), address)
    no_violation_as_it_is(page)
    assert not complaints.found, "\n".join(complaints.found)


@pytest.mark.long
@pytest.mark.parametrize(("path", "address"), DIALOGS.values(), ids=DIALOGS)
def test_a_dialog_is_without_fault_in_light_and_dark_on_a_desk_and_on_a_phone(
    signed_in: tuple[Page, Complaints], filled: dict[str, str], path: str, address: str
) -> None:
    page, _ = signed_in
    open_dialog(page, path.format(**filled), address)
    no_violations(page)


def test_no_page_offers_a_dialog_that_is_not_judged(
    browser_page: Page, admin: Person, filled: dict[str, str]
) -> None:
    sign_in(browser_page, admin)
    judged: dict[str, list[str]] = {}
    for path, address in DIALOGS.values():
        judged.setdefault(path, []).append(address)
    strangers = []
    for path in {*PLACES.values(), *DETAILS.values(), *judged}:
        browser_page.goto(path.format(**filled))
        anywhere = [address for addresses in judged.values() for address in addresses]
        # what is not among PLACES is another look at a page that is
        known = judged[path] if path in judged and path in PLACES.values() else anywhere
        strangers += [each for each in offered(browser_page) if not any(re.fullmatch(one, each) for one in known)]
    assert strangers == []


def open_dialog(page: Page, path: str, address: str) -> None:
    """Open what a page offers at an address, which is a pattern."""
    page.goto(path)
    found = next((each for each in offered(page) if re.fullmatch(address, each)), None)
    assert found, f"{path} offers {offered(page)}"
    page.locator(f"[hx-get='{found}']").first.dispatch_event("click")
    expect(sheet(page).locator("h2#sheet-title")).not_to_be_empty()
    assert page.locator("h1").count() == 1


def offered(page: Page) -> list[str]:
    """The addresses that open in the dialog, of links that are there."""
    asked: list[str] = page.locator("a[hx-get][hx-target='#sheet']").evaluate_all(
        "links => links.map((link) => link.getAttribute('hx-get'))"
    )
    return asked
