"""The folder of a backup that is no file yet: gone with whoever ends, left by whoever is killed."""

from __future__ import annotations

import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from compose.local.backup import remove_unfinished, unfinished
from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_WORK = """
import sys, time
from pathlib import Path
from compose.local.backup import unfinished
with unfinished(Path(sys.argv[1])) as folder:
    (folder / "keys").touch()
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that makes one."""
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as running:
        assert running.stdout
        assert running.stdout.readline().startswith(f"{tmp_path}/.breakwater-backup-")
        try:
            yield running
        finally:
            running.kill()


def test_nobody_else_may_enter_it_and_it_goes_with_the_block(tmp_path: Path) -> None:
    with unfinished(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any(tmp_path.iterdir())


def test_what_a_killed_backup_left_is_removed_and_what_another_works_on_stays(
    tmp_path: Path, backup: subprocess.Popen[str]
) -> None:
    (folder,) = tmp_path.iterdir()
    foreign = tmp_path / ".breakwater-backup-without-a-lock"
    foreign.mkdir()
    remove_unfinished(tmp_path)
    assert folder.joinpath("keys").exists()
    backup.kill()
    backup.wait(30)
    assert folder.joinpath("keys").exists()
    remove_unfinished(tmp_path)
    assert [*tmp_path.iterdir()] == [foreign]
