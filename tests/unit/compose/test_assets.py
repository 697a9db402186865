"""The portal's files that others wrote: what the lock names, and what becomes of a fetch that fails."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from compose.assets import CHECKOUT, FILES, LOCK, CannotFetch, fetch

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = json.loads(CHECKOUT.joinpath("package-lock.json").read_text())["packages"]


def test_lock_holds_versions_and_hashes_and_no_address() -> None:
    text = CHECKOUT.joinpath("package-lock.json").read_text()
    assert "://" not in text
    assert "resolved" not in text
    for name, package in PACKAGES.items():
        assert not name or package["integrity"].startswith("sha512-")


def test_versions_are_exact() -> None:
    wanted = json.loads(CHECKOUT.joinpath("package.json").read_text())["dependencies"]
    assert wanted == PACKAGES[""]["dependencies"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert PACKAGES[f"node_modules/{name}"]["version"] == version


def test_each_file_comes_out_of_a_locked_package() -> None:
    assert {f"node_modules/{source.partition('/')[0]}" for source in FILES.values()} == PACKAGES.keys() - {""}


def test_fetch_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lock, folder = tmp_path / "lock", tmp_path / "assets"
    lock.mkdir()
    for name in LOCK:
        shutil.copyfile(CHECKOUT / name, lock / name)
    lock.joinpath("package-lock.json").write_text("{}")  # refused before npm asks anybody
    folder.mkdir()
    folder.joinpath("htmx.min.js").write_text("var htmx")
    with pytest.raises(CannotFetch):
        fetch(folder, lock=lock)
    assert "package-lock.json" in capfd.readouterr().err
    assert [file.name for file in folder.iterdir()] == ["htmx.min.js"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["assets", "lock"]
