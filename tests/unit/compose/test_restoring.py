"""Into which volumes a backup is laid, and what is refused before anything is touched."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from compose.docker import prepare as preparing
from compose.docker import restoring
from compose.docker.operate import know_instance
from compose.docker.restoring import refuse_lost, restore
from compose.docker.site import container_site
from compose.local.accounts import Account, Accounts
from compose.local.archive import BadBackup
from compose.local.layout import Layout
from compose.local.state import Busy, exclusively
from services.audit.key import KEY_FILE
from shared.errors import ConfigurationError, Conflict
from tests.unit.compose.backups import DUMP, LINK, LINKED, written

if TYPE_CHECKING:
    from pathlib import Path

    from compose.local.site import Site

@pytest.fixture(autouse=True)
def users(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Accounts(separate=False, ids=dict.fromkeys(Account, (os.geteuid(), os.getegid())))
    monkeypatch.setattr(restoring, "known_accounts", lambda: mine)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """As the first container of an instance finds it: with volumes that are empty."""
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    layout = Layout(tmp_path / "home")
    for folder in (layout.conf, layout.secrets, layout.registry, layout.database.parent, layout.broker):
        folder.mkdir(parents=True)
    monkeypatch.setattr("compose.docker.operate.known_accounts", lambda: None)
    know_instance(layout)
    return dataclasses.replace(container_site(), layout=layout)


def lay(site: Site, file: Path) -> None:
    restore(site, file, lambda _: None, volumes=site.layout.home.with_name("handed-out"))


def laid(layout: Layout) -> dict[str, bytes]:
    """The files of those volumes that a restore writes to."""
    folders = (layout.conf, layout.secrets, layout.registry, layout.restored_dump.parent)
    return {
        str(path.relative_to(layout.home)): path.read_bytes()
        for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "lock"
    }


def test_backup_is_laid_where_those_that_come_next_look_for_it(site: Site, tmp_path: Path) -> None:
    for part in (site.layout.conf / "nginx.conf", site.layout.secrets / "config-key"):
        part.write_text("of an instance that was only prepared")
    lay(site, written(tmp_path))
    assert laid(site.layout) == {
        "conf/instance-id": b"an-id\n", "secrets/audit/chain-key": b"key", f"registry/{LINKED}": LINK,
        "restored/database.dump": DUMP,
    }


@pytest.mark.parametrize("there", ["postgres/data.new", "rabbitmq/mnesia", f"../handed-out/audit/audit/{KEY_FILE}"])
def test_what_a_started_instance_has_left_refuses_it(site: Site, tmp_path: Path, there: str) -> None:
    site.layout.home.joinpath(there).mkdir(parents=True)
    with pytest.raises(Conflict, match="there is an instance in these volumes"):
        lay(site, written(tmp_path))
    # not even after a restore that did not end
    site.layout.restoring_flag.touch()
    with pytest.raises(Conflict, match="there is an instance in these volumes"):
        lay(site, written(tmp_path))
    assert {*laid(site.layout)} == {"restored/unfinished"}


def test_images_are_expected_where_the_settings_say(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Conflict, match="the images lie in s3://images/here: set BREAKWATER_S3_BUCKET"):
        lay(site, written(tmp_path, registry="s3://images/here", included=False))
    monkeypatch.setenv("BREAKWATER_S3_BUCKET", "images")
    with_bucket = dataclasses.replace(site, options=container_site().options)
    with pytest.raises(Conflict, match="restore it without one"):
        lay(with_bucket, written(tmp_path))
    assert laid(site.layout) == {}
    lay(with_bucket, written(tmp_path, registry="s3://images/here", included=False))
    assert "restored/database.dump" in laid(site.layout)


def test_images_that_the_backup_does_not_bring_are_brought_before_it_and_stay(site: Site, tmp_path: Path) -> None:
    without = written(tmp_path, included=False)
    with pytest.raises(Conflict, match="copy what lay in /r into the volume registry first"):
        lay(site, without)
    site.layout.registry.joinpath("brought").touch()
    lay(site, without)
    assert site.layout.registry.joinpath("brought").exists()


def test_images_that_are_there_already_are_not_mixed_with_those_of_the_backup(site: Site, tmp_path: Path) -> None:
    site.layout.registry.joinpath("brought").touch()
    with pytest.raises(Conflict, match="and the backup brings one"):
        lay(site, written(tmp_path))


def test_one_of_a_newer_version_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match="newer"):
        lay(site, written(tmp_path, revision="9999"))
    assert laid(site.layout) == {}


def test_one_that_is_broken_off_leaves_the_flag_and_the_next_begins_anew(site: Site, tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match="not whole"):
        lay(site, written(tmp_path, whole=False))
    assert site.layout.restoring_flag.exists()
    site.layout.secrets.joinpath("left").touch()
    lay(site, written(tmp_path))
    assert not site.layout.restoring_flag.exists()
    assert "secrets/left" not in laid(site.layout)


def test_second_one_is_not_laid_over_the_first(site: Site, tmp_path: Path) -> None:
    lay(site, written(tmp_path))
    with pytest.raises(Conflict, match="a backup lies in these volumes already"):
        lay(site, written(tmp_path))


def test_one_at_a_time_works_on_the_volumes(site: Site, tmp_path: Path) -> None:
    with exclusively(site.layout.restored_dump.parent), pytest.raises(Busy, match="something else is at work"):
        lay(site, written(tmp_path))


def test_nothing_is_made_while_a_restore_has_not_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "container_site", lambda **_: site)
    site.layout.restoring_flag.parent.mkdir(exist_ok=True)
    site.layout.restoring_flag.touch()
    with pytest.raises(ConfigurationError, match="a restore into these volumes did not end"):
        preparing.prepare()
    with exclusively(site.layout.restored_dump.parent), pytest.raises(Busy):
        preparing.prepare()
    assert not any(site.layout.conf.iterdir())


def test_backup_goes_into_a_folder_that_is_mounted_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Conflict, match="would be gone with this container"):
        refuse_lost(tmp_path / "x", tmp_path)
    monkeypatch.setattr(type(tmp_path), "is_mount", lambda path: path == tmp_path)
    refuse_lost(tmp_path / "x", tmp_path)
    with pytest.raises(Conflict, match="would be gone with this container"):
        refuse_lost(tmp_path.with_name("x"), tmp_path)
    with pytest.raises(Conflict, match="operate events broker-definitions /"):
        refuse_lost(tmp_path.with_name("x"), tmp_path, verb="events broker-definitions")
