"""`restore`: lays what a backup holds into an empty home, for the next `up` to start.

A flag stands in the home while that goes on. Where it is broken off, `up` refuses the home, and another restore removes
what the first one laid.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compose.local.accounts import Account, Accounts, accounts
from compose.local.archive import DUMP, HOME, BadBackup, Manifest, Member, Progress, Reader, private
from compose.local.credentials import settle_owners
from compose.local.folders import make_folders
from compose.local.layout import Layout
from compose.local.options import Options
from compose.local.state import exclusively
from shared.errors import Conflict
from shared.migrations.run import is_known


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was laid."""

    manifest: Manifest
    home: Path


def restore(options: Options, file: Path, progress: Progress) -> Restored:
    """Lay a backup into the home of these options.

    Raises BadBackup, Conflict where an instance is there already or the registry's storage is missing or is there
    twice, Busy, and OSError.
    """
    layout = Layout(options.home)
    with file.open("rb") as source, exclusively(layout.home):
        reader = Reader(source, progress)
        _refuse(layout, reader.manifest)
        users = accounts()
        _clear(layout, kept=() if reader.manifest.registry_included else (layout.registry,))
        layout.restoring_flag.touch()
        make_folders(layout, users)
        for member in reader.members():
            _lay(layout, reader, member)
        _settle(layout, users)
        layout.restoring_flag.unlink()
    return Restored(manifest=reader.manifest, home=layout.home)


def _refuse(layout: Layout, manifest: Manifest) -> None:
    if not is_known(manifest.revision):
        raise BadBackup(
            f"the backup is of a newer Breakwater (its database is at {manifest.revision}): restore it with that one"
        )
    if layout.restoring_flag.exists():
        return
    if layout.instance_id.exists() or layout.database.exists():
        raise Conflict(f"there is an instance in {layout.home}: set BREAKWATER_HOME to an empty folder")
    if manifest.registry_on_disk and not manifest.registry_included and not layout.registry.is_dir():
        raise Conflict(
            f"the backup is without the registry's storage: copy what lay in {manifest.registry} "
            f"to {layout.registry} first"
        )
    if manifest.registry_included and layout.registry.is_dir() and any(layout.registry.iterdir()):
        raise Conflict(f"there is a registry's storage in {layout.registry}, and the backup brings one: remove it")


def _clear(layout: Layout, *, kept: Iterable[Path]) -> None:
    """What an earlier restore laid that did not end."""
    for folder in layout.own_folders:
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _lay(layout: Layout, reader: Reader, member: Member) -> None:
    root = {HOME: layout.home, DUMP: layout.restored_dump}.get(member.place, layout.registry)
    target = root / member.name if member.name else root
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with private(target) as file:
        reader.copy(member, file)


def _settle(layout: Layout, users: Accounts) -> None:
    layout.instance_id.chmod(0o644)
    settle_owners(layout, users)
    for path in layout.registry.rglob("*"):
        users.give(path, Account.DATA, 0o700 if path.is_dir() else 0o600)
