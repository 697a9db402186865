"""The pictures of the portal: every page of theirs is there, and none has anything to hide."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.portal.browser import SCHEMES
from tests.portal.demo import TAGS, seed
from tests.portal.screenshots import PICTURES, take

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.e2e.system import System


def test_every_page_is_pictured_light_and_dark_with_a_company_s_content(
    system: System, browser: Browser, tmp_path: Path
) -> None:
    seed(system)
    seed(system)  # of what is there nothing is made twice
    assert {row["name"] for row in system.admin.every("/repositories")} >= {*TAGS}
    paths = list(take(system, browser, tmp_path / "pictures"))
    names = {f"{picture.name}-{scheme}.png" for picture in PICTURES for scheme in SCHEMES}
    assert {path.name for path in paths} == names
    for path in paths:
        assert struct.unpack(">II", path.read_bytes()[16:24]) == (1280, 800)
    for picture in PICTURES:
        light, dark = (tmp_path.joinpath("pictures", f"{picture.name}-{scheme}.png").read_bytes() for scheme in SCHEMES)
        assert light != dark
