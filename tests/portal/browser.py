"""A real browser, and what it may never complain of: what it writes to its console fails the test that opened it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import ConsoleMessage, Error, Locator, Request, ViewportSize

    from tests.e2e.system import Person

PROGRAM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 800}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
SCHEMES: Final = ("light", "dark")
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
PATIENCE_MILLISECONDS: Final = 10_000
_LOUD: Final = frozenset({"error", "warning", "assert"})


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, without a window. It belongs to this thread, and no loop of asyncio may run in it meanwhile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Complaints:
    """What the browser objected to. What a test provokes on purpose it takes out with `forgive`."""

    host: str
    found: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Listen to a page; violations of its content policy come as errors of the console."""
        page.on("console", self._heard)
        page.on("pageerror", self._thrown)
        page.on("request", self._asked)
        page.on("requestfailed", self._failed)

    def forgive(self, part: str) -> None:
        """Take back what holds these words. There has to be such a complaint: a test knows what it provokes."""
        kept = [complaint for complaint in self.found if part not in complaint]
        assert kept != self.found, f"nothing was said of {part!r}: {self.found}"
        self.found[:] = kept

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in _LOUD:
            self.found.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _thrown(self, error: Error) -> None:
        self.found.append(f"error: {error}")

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob", "about"} and address.netloc != self.host:
            self.found.append(f"asked another host: {request.url}")

    def _failed(self, request: Request) -> None:
        # a page that is left takes with it what it was still asking for
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.url}: {request.failure}")


@contextmanager
def opened(
    browser: Browser, url: str, *, scheme: str = "light", viewport: ViewportSize = DESKTOP
) -> Iterator[tuple[Page, Complaints]]:
    """A page of a browser that nobody has used before; addresses are those below `url`."""
    context = browser.new_context(
        base_url=url, locale="en", timezone_id="UTC", reduced_motion="reduce", viewport=viewport,
        color_scheme="dark" if scheme == "dark" else "light",
    )  # fmt: skip
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    complaints = Complaints(urlsplit(url).netloc)
    context.on("page", complaints.watch)
    try:
        yield context.new_page(), complaints
    finally:
        context.close()


def sign_in(page: Page, person: Person) -> None:
    """As people do, by the form; on the first page afterwards."""
    page.goto("/sign-in")
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Account")).to_be_visible()


def sheet(page: Page) -> Locator:
    """The dialog that forms are shown in, open."""
    dialog = page.locator("dialog#sheet")
    expect(dialog).to_be_visible()
    return dialog


def no_violations(page: Page) -> None:
    """The page in light and in dark, as wide as it is and on a phone: nothing against WCAG 2.2 AA that axe can tell."""
    before = page.viewport_size or DESKTOP
    found: list[str] = []
    for viewport in (before, PHONE):
        page.set_viewport_size(viewport)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.evaluate("Promise.all(document.getAnimations().map(each => each.finished.catch(() => null)))")
            found += [f"{scheme}, {viewport['width']} px: {said}" for said in _violations(page)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > viewport["width"]:
            found.append(f"{viewport['width']} px: the page is {wide} px wide")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)
    assert not found, "\n".join(found)


def no_violation_as_it_is(page: Page) -> None:
    """The page as wide and as light as it is: what `no_violations` asks four times over."""
    found = list(_violations(page))
    assert not found, "\n".join(found)


def _violations(page: Page) -> Iterator[str]:
    answer = Axe().run(page, options={"runOnly": list(RULES), "resultTypes": ["violations"]}).response
    for violation in answer["violations"]:
        for node in violation["nodes"]:
            yield f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
