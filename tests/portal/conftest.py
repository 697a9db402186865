"""One instance for all tests of the portal, one browser, and a page of its own for each test.

BREAKWATER_E2E_HOME and BREAKWATER_E2E_PORT name a running instance to use instead, as for the tests in e2e. The suite
has a process of its own: Playwright keeps a loop running in the thread of the tests.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compose.local.instance import Instance
from tests.e2e.conftest import REACHABLE, fresh_system, person, project
from tests.e2e.system import Person, System
from tests.e2e.telling import pytest_runtest_makereport
from tests.portal.browser import chromium, opened
from tests.portal.demo import parts_of, seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.portal.browser import Complaints

__all__ = ["person", "project", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """The instance: no test may stop a part of it."""
    if home := os.environ.get("BREAKWATER_E2E_HOME"):
        yield System(Instance(home=Path(home), port=int(os.environ["BREAKWATER_E2E_PORT"])))
        return
    yield from fresh_system({"BREAKWATER_OUTBOUND_ALLOW": REACHABLE})


@pytest.fixture(scope="session")
def admin(system: System) -> Person:
    """The administrator, to sign in at a form."""
    return Person(name=system.admin_name, password=system.admin_password, id=1)


@pytest.fixture(scope="session")
def filled(system: System) -> dict[str, str]:
    """What stands for the names in addresses, in an instance that a company fills."""
    seed(system)
    return parts_of(system)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(system: System, browser: Browser) -> Iterator[tuple[Page, Complaints]]:
    """A page, and what the browser complains of on it; the test fails at its end where that is anything."""
    with opened(browser, system.url) as (page, complaints):
        yield page, complaints
    assert not complaints.found, "\n".join(complaints.found)


@pytest.fixture
def browser_page(visit: tuple[Page, Complaints]) -> Page:
    return visit[0]


@pytest.fixture
def complaints(visit: tuple[Page, Complaints]) -> Complaints:
    return visit[1]
