"""docs/configuration.md is what the code says, and every variable of every compose file is in it."""

from __future__ import annotations

import re

import pytest

from compose.docs import PAGE, page
from compose.local.options import CHECKOUT

FILES = sorted((CHECKOUT / "compose" / "docker").glob("compose*.yaml"))
VARIABLE = re.compile(r"\$\{(BREAKWATER_\w+)(?::-([^}]*))?\}")


def test_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m compose.docs`"


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
