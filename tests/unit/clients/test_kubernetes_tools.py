"""The real helm and kubectl: what the lock names, and what becomes of a fetch that fails."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.clients.kubernetes.tools import LOCK, fetch

if TYPE_CHECKING:
    from pathlib import Path


def test_lock_holds_one_version_by_its_hash_and_no_address() -> None:
    text = "\n".join(line for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    assert re.fullmatch(r"[\w-]+==\d+\.\d+\.\d+ \\\n    --hash=sha256:[0-9a-f]{64}", text)
    assert "://" not in LOCK.read_text()


def test_fetch_that_fails_leaves_the_folder_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lock, folder = tmp_path / "lock.txt", tmp_path / "kubernetes"
    lock.write_text("=\n")  # refused before pip asks anybody
    folder.mkdir()
    folder.joinpath("helm").write_text("")
    with pytest.raises(subprocess.CalledProcessError):
        fetch(folder, lock=lock)
    assert "lock.txt" in capfd.readouterr().err
    assert [file.name for file in folder.iterdir()] == ["helm"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kubernetes", "lock.txt"]
