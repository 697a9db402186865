"""What `./breakwater test` has fetched before it started."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from compose.assets import FILES

FOLDER = Path(sys.prefix).parent / "assets"


def test_every_file_is_there_and_all_may_read_it() -> None:
    assert {file.name for file in FOLDER.iterdir()} == {*FILES, "installed"}
    assert FOLDER.stat().st_mode & 0o005 == 0o005
    for name in FILES:
        assert FOLDER.joinpath(name).stat().st_mode & 0o004


def test_what_others_wrote_takes_little_of_the_first_page_s_budget() -> None:
    assert sum(len(gzip.compress(FOLDER.joinpath(name).read_bytes())) for name in FILES) < 48_000
