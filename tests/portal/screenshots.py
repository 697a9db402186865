"""`./breakwater screenshots`: the portal's pages, light and dark, of an instance with a company's content."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect
from rich.console import Console

from compose.local.instance import Instance
from tests.e2e.system import Person, System
from tests.portal.browser import SCHEMES, chromium, opened, sign_in
from tests.portal.demo import parts_of, seed
from tests.portal.places import DETAILS, PLACES, STATES
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

_TERMINATED: Final = 143


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A page and the name of its picture; its path has the names that PLACES, DETAILS and STATES have."""

    name: str
    path: str
    signed_in: bool = True
    """As the administrator; otherwise as somebody who has not signed in."""
    status: int = HTTPStatus.OK


PICTURES: Final = (
    Picture(name="sign-in", path="/sign-in", signed_in=False),
    Picture(name="public-projects", path="/projects", signed_in=False),
    *(Picture(name=name.replace(" ", "-"), path=path) for name, path in {**PLACES, **DETAILS}.items()),
    *(Picture(name=name.replace(" ", "-"), path=path, status=status) for name, (path, status) in STATES.items()),
)


def take(system: System, browser: Browser, folder: Path) -> Iterator[Path]:
    """Write NAME-SCHEME.png for every picture. Raises AssertionError for a page that is refused or complained of."""
    parts = parts_of(system)
    admin = Person(name=system.admin_name, password=system.admin_password, id=1)
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        for signed_in in (False, True):
            with opened(browser, system.url, scheme=scheme) as (page, complaints):
                if signed_in:
                    sign_in(page, admin)
                for picture in (picture for picture in PICTURES if picture.signed_in is signed_in):
                    address = picture.path.format(**parts)
                    answer = page.goto(address)
                    assert answer, address
                    assert answer.status == picture.status, f"{address}: {answer.status}"
                    page.wait_for_function("document.fonts.status === 'loaded'")
                    # what a page asks for by itself is swapped in
                    expect(page.locator("[hx-trigger=load], .htmx-request")).to_have_count(0)
                    path = folder / f"{picture.name}-{scheme}.png"
                    page.screenshot(path=path)
                    if picture.status == HTTPStatus.NOT_FOUND:
                        complaints.forgive("404")
                    yield path
                assert not complaints.found, "\n".join(complaints.found)


def main() -> int:
    """Start an instance of its own, fill it, take the pictures, leave nothing of it."""
    parser = argparse.ArgumentParser(prog="breakwater screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the pictures are written")
    folder = parser.parse_args().folder
    console = Console()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # an end like any other: the instance goes as well
    with short_folder() as home:
        instance = Instance(home=home / "home", port=free_port())
        console.print("[dim]· an instance of its own is started and filled[/]")
        try:
            instance.up()
            system = System(instance).as_compared()
            seed(system)
            with chromium() as browser:
                for path in take(system, browser, folder):
                    console.print(f"[dim]· {path}[/]")
        finally:
            instance.destroy()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
