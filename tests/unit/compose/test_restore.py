"""What a restore on a machine finds in its home, and what it leaves alone."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from compose.local import restore as restoring
from compose.local.accounts import Account, Accounts
from compose.local.archive import BadBackup
from compose.local.layout import Layout
from compose.local.options import Options
from compose.local.restore import restore
from shared.errors import Conflict
from tests.unit.compose.backups import LINK, LINKED, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def users(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Accounts(separate=False, ids=dict.fromkeys(Account, (os.geteuid(), os.getegid())))
    monkeypatch.setattr(restoring, "accounts", lambda: mine)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "home")


def lay(layout: Layout, file: Path) -> None:
    restore(Options(home=layout.home), file, lambda _: None)


def test_files_of_somebody_else_are_left_alone_and_refuse_it(layout: Layout, tmp_path: Path) -> None:
    for name in ("log/old.txt", "conf/a/mine.conf", "work/link", "restored/database.dump", "rabbitmq"):
        path = layout.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.symlink_to(tmp_path) if path.name == "link" else path.write_text("keep"))
        with pytest.raises(Conflict, match=f"^there is {path} already: set BREAKWATER_HOME to an empty folder$"):
            lay(layout, written(tmp_path))
        assert path.is_symlink() or path.read_text() == "keep"
        assert not layout.restoring_flag.exists()
        shutil.rmtree(layout.home)


def test_empty_folders_and_whatever_else_lies_in_the_home_are_none_of_an_instance(
    layout: Layout, tmp_path: Path
) -> None:
    (layout.home / "mine").mkdir(parents=True)
    (layout.home / "mine" / "keep").touch()
    layout.log.joinpath("state").mkdir(parents=True)
    lay(layout, written(tmp_path))
    assert (layout.home / "mine" / "keep").exists()
    assert layout.registry.joinpath(LINKED).read_bytes() == LINK


def test_what_an_earlier_restore_has_laid_gives_way(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match="not whole"):
        lay(layout, written(tmp_path, whole=False))
    layout.secrets.joinpath("left").touch()
    lay(layout, written(tmp_path))
    assert not layout.restoring_flag.exists()
    assert not layout.secrets.joinpath("left").exists()


def test_a_backup_of_a_newer_version_is_refused_and_nothing_is_laid(layout: Layout, tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match=r"^the backup is of a newer Breakwater \(its database is at 9999\)"):
        lay(layout, written(tmp_path, revision="9999"))
    assert not layout.secrets.exists()
    assert not layout.restoring_flag.exists()
