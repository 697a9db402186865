"""docs/configuration.md is what the code says, and every variable of every compose file is in it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from compose.docs import PAGE, page
from compose.local.options import CHECKOUT
from tests.sentences import said

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted((CHECKOUT / "compose" / "docker").glob("compose*.yaml"))
MAKERS: Final = {
    "python -m compose.docs": "configuration.md",
    "python -m gateway.core.docs": "api.md",
    "python -m gateway.core.metrics.docs": "metrics.md",
    "python -m shared.events.docs": "events.md",
}
FROM_HERE: Final = "<!-- from here on made by `python -m gateway.core.metrics.docs` -->\n"
UP_TO_HERE: Final = "<!-- up to here -->\n"
VARIABLE = re.compile(r"\$\{(BREAKWATER_\w+)(?::-([^}]*))?\}")


def test_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m compose.docs`"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code and the pages, to be written over."""
    copy: Path = tmp_path_factory.mktemp("copy")
    for folder in ("compose", "docs", "gateway", "services", "shared"):
        shutil.copytree(CHECKOUT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__", "screenshots"))
    return copy


@pytest.mark.parametrize(("command", "name"), MAKERS.items())
def test_page_is_made_by_the_command_that_it_names(copied: Path, command: str, name: str) -> None:
    page = copied / "docs" / name
    whole = page.read_text(encoding="utf-8")
    before, after = whole.partition(FROM_HERE)[0], whole.partition(UP_TO_HERE)[2]
    page.write_text(f"{before}{FROM_HERE}{UP_TO_HERE}{after}" if FROM_HERE in whole else "", encoding="utf-8")
    _, *words = shlex.split(said(command))
    subprocess.run([sys.executable, *words], cwd=copied, check=True, timeout=60)
    assert page.read_text(encoding="utf-8") == whole


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_setting_of_containers_is_left_out(file: object) -> None:
    of_containers = page().partition("\n## Of containers")[2].partition("\n## ")[0]
    named = {f"BREAKWATER_{name}" for name in re.findall(r"`(?:BREAKWATER)?_(\w+)`", of_containers)}
    assert {name for name, _ in VARIABLE.findall(file.read_text(encoding="utf-8"))} <= named  # type: ignore[attr-defined]  # a path


def test_a_setting_whose_default_is_another_one_in_containers_is_told_with_it() -> None:
    assert "| `BREAKWATER_REDIRECT_PORT` | `80` |" in page().partition("\n## Of containers")[2]


def test_there_are_files_with_settings() -> None:
    found = {file.name for file in FILES if VARIABLE.search(file.read_text(encoding="utf-8"))}
    assert {"compose.yaml", "compose.redirect.yaml", "compose.scale.yaml"} <= found


def test_each_variable_of_containers_has_one_row() -> None:
    names = [row.split("|")[1] for row in page().partition("## Of containers")[2].splitlines() if row.startswith("| `")]
    assert sorted(set(names)) == sorted(names)
