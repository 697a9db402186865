"""`restore`: lays what a backup holds into an empty home, for the next `up` to start.

A flag stands in the home while that goes on. Where it is broken off, `up` refuses the home, and another restore removes
what the first one laid.
"""

import os
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
        refuse_newer(reader.manifest)
        if not layout.restoring_flag.exists():
            _refuse(layout, reader.manifest)
        users = accounts()
        begin(layout, [folder for folder in layout.own_folders if folder != layout.registry], reader.manifest)
        make_folders(layout, users)
        lay(layout, reader, users)
    return Restored(manifest=reader.manifest, home=layout.home)


def refuse_newer(manifest: Manifest) -> None:
    """Raises BadBackup where its database is one that this version does not know."""
    if not is_known(manifest.revision):
        raise BadBackup(
            f"the backup is of a newer Breakwater (its database is at {manifest.revision}): restore it with that one"
        )


def refuse_second_storage(layout: Layout, manifest: Manifest) -> None:
    """Raises Conflict."""
    if manifest.registry_included and layout.registry.is_dir() and any(layout.registry.iterdir()):
        raise Conflict(f"there is a registry's storage in {layout.registry}, and the backup brings one: remove it")


def begin(layout: Layout, folders: Iterable[Path], manifest: Manifest) -> None:
    """Raise the flag, and remove from these folders what an earlier restore laid that did not end.

    The registry's storage is removed where the backup brings it: elsewhere somebody else has laid it.
    """
    layout.restoring_flag.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout.restoring_flag.touch()
    layout.restored_dump.unlink(missing_ok=True)
    for folder in (*folders, *((layout.registry,) if manifest.registry_included else ())):
        if folder != layout.restoring_flag.parent:
            shutil.rmtree(folder, ignore_errors=True)


def lay(layout: Layout, reader: Reader, users: Accounts) -> None:
    """Lay all that the backup holds, then lower the flag. Raises BadBackup, OSError."""
    for member in reader.members():
        _lay(layout, reader, member)
    _settle(layout, users)
    layout.restoring_flag.unlink()


def _refuse(layout: Layout, manifest: Manifest) -> None:
    if layout.instance_id.exists() or layout.database.exists():
        raise Conflict(f"there is an instance in {layout.home}: set BREAKWATER_HOME to an empty folder")
    _refuse_foreign(layout)
    if manifest.registry_on_disk and not manifest.registry_included and not layout.registry.is_dir():
        raise Conflict(
            f"the backup is without the registry's storage: copy what lay in {manifest.registry} "
            f"to {layout.registry} first"
        )
    refuse_second_storage(layout, manifest)


def _refuse_foreign(layout: Layout) -> None:
    """What is removed to begin with has to be an earlier restore's: files of anybody else's would be lost.

    A run folder outside the home holds nothing that outlives a stop.
    """
    for folder in layout.own_folders:
        if folder == layout.registry or not folder.is_relative_to(layout.home):
            continue
        # a folder that was made elsewhere, on another disk, is as good as one that lies here
        entries = folder.rglob("*") if folder.is_dir() else filter(os.path.lexists, [folder])
        for path in entries:
            if path.is_symlink() or not path.is_dir():
                raise Conflict(f"there is {path} already: set BREAKWATER_HOME to an empty folder")


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
