"""Faults of the home, found also while nothing runs: whose it is, who may read what, how full the disk is."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compose.local.accounts import Accounts, Ownership, known_accounts
from compose.local.credentials import secret_owners
from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from compose.local.folders import PortTaken, folder_owners, refuse_taken_port
from services.api.domain.disk import Reserve
from shared.errors import ConfigurationError

_MIB: Final = 2**20
_NEAR: Final = 2
"""Times the reserve: so much free is a warning."""
_LEAST_INODES: Final = 0.05
_SETTLE: Final = "./breakwater up settles owners and modes"
_ANYBODY: Final = 0o077
_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system as it is."""

    total: int
    free: int
    inodes: int
    free_inodes: int

    @classmethod
    def of(cls, path: Path) -> "Disk":
        """The one that a folder is on. Raises OSError."""
        usage, inodes = shutil.disk_usage(path), os.statvfs(path)
        return cls(total=usage.total, free=usage.free, inodes=inodes.f_files, free_inodes=inodes.f_favail)


def home_owner(patient: Patient) -> Iterator[Finding]:
    """Whoever started it first runs it: others can neither read its secrets nor speak to its supervisor."""
    home = patient.layout.home
    try:
        owner = patient.layout.instance_id.stat().st_uid
    except FileNotFoundError:
        yield broken(f"{home} holds no instance's id: its first start did not end", "./breakwater up ends it")
        return
    if owner != os.geteuid():
        yield broken(f"the instance in {home} is user {_name(owner)}'s", "run ./breakwater doctor as that user")
    elif patient.layout.restoring_flag.exists():
        yield broken(f"a restore into {home} did not end", "run ./breakwater restore again")


def folders(patient: Patient) -> Iterator[Finding]:
    """Folders that are missing, another's, or of another mode."""
    accounts = _accounts()
    if accounts is None:
        yield broken("the system users that the parts run as are missing", "./breakwater up makes them")
        return
    for ownership in folder_owners(patient.layout):
        if fault := misplaced(ownership, accounts):
            yield broken(f"{ownership.path} {fault}", _SETTLE)


def secrets(patient: Patient) -> Iterator[Finding]:
    """Secrets that are another's, or that others may read."""
    accounts = _accounts()
    if accounts is None or not patient.layout.secrets.is_dir():
        return
    faults = [
        (each, fault) for each in secret_owners(patient.layout) if (fault := misplaced(each, accounts)) is not None
    ]
    for ownership, fault in faults[:_SHOWN]:
        open_to_others = _mode(ownership.path) & _ANYBODY & ~ownership.mode
        also = "; somebody else may have read it" if open_to_others and ownership.path.is_file() else ""
        yield broken(f"{ownership.path} {fault}{also}", _SETTLE)
    if len(faults) > _SHOWN:
        yield broken(f"{len(faults) - _SHOWN} more secrets have a wrong owner or mode", _SETTLE)


def port(patient: Patient) -> Iterator[Finding]:
    """A port that another program holds."""
    try:
        refuse_taken_port(patient.options)
    except (PortTaken, ConfigurationError) as error:
        what, _, remedy = error.sentence.partition(": ")
        yield broken(what, remedy or "set BREAKWATER_PORT to another one")


def space(patient: Patient) -> Iterator[Finding]:
    """Disks that are nearly full."""
    layout, options = patient.layout, patient.options
    reserve = Reserve(percent=options.disk_reserve_percent, bytes=options.disk_reserve_bytes)
    seen = set()
    in_bucket = bool(options.s3_bucket)
    images = () if in_bucket else (layout.registry,)
    # of a container the home itself is memory: what lasts lies in volumes
    home = () if patient.site.contained else (layout.home,)
    for path in (*images, *home, layout.database.parent, layout.broker, layout.log):
        try:
            device, disk = path.stat().st_dev, Disk.of(path)
        except OSError:
            continue
        if device not in seen:
            seen.add(device)
            yield from judge_disk(disk, path, reserve, watched=not in_bucket)


def judge_disk(disk: Disk, path: Path, reserve: Reserve, *, watched: bool = True) -> Iterator[Finding]:
    """What is wrong with a disk; one that is watched has pushes refused when it is nearly full."""
    kept = reserve.of(disk.total)
    room = f"{disk.free // _MIB:,} MiB are free on the disk of {path}"
    more = "free some space: ./breakwater logs, old backups, retention and garbage collection, or a larger disk"
    if disk.free < kept:
        then = ": pushes are refused" if watched else ""
        yield broken(f"{room}, and {kept // _MIB:,} are to stay free{then}", more)
    elif disk.free < kept * _NEAR:
        soon = f"pushes are refused from {kept // _MIB:,} on" if watched else f"{kept // _MIB:,} are to stay free"
        yield warning(f"{room}; {soon}", more)
    if disk.inodes and disk.free_inodes < disk.inodes * _LEAST_INODES:
        yield broken(
            f"{disk.free_inodes:,} of {disk.inodes:,} inodes are free on the disk of {path}",
            "remove small files there: df -i, then du --inodes, tell where they are",
        )


def misplaced(ownership: Ownership, accounts: Accounts) -> str | None:
    """What is wrong with a file's or folder's owner or mode; None where nothing is."""
    try:
        found = ownership.path.lstat()
    except FileNotFoundError:
        return "is missing"
    user, own_group = accounts.ids[ownership.account]
    group = accounts.ids[ownership.group][1] if ownership.group else own_group
    if accounts.separate and (found.st_uid, found.st_gid) != (user, group):
        return f"belongs to {_name(found.st_uid)} (group {found.st_gid}), not to {_name(user)} (group {group})"
    mode = stat.S_IMODE(found.st_mode)
    return None if mode == ownership.mode else f"has mode {mode:04o}, not {ownership.mode:04o}"


def _accounts() -> Accounts | None:
    try:
        return known_accounts()
    except KeyError:
        return None


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.lstat().st_mode)
    except OSError:
        return 0


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="home",
        looks_for="a home that is another user's, or in which a first start or a restore did not end",
        remedy="run the verb as the user it names; end what was begun with `./breakwater up` or `restore`",
        ask=home_owner,
    ),
    Check(
        name="folders",
        looks_for="folders that are missing, or have another owner or mode than their part needs",
        remedy="`./breakwater up` settles them, also while everything runs",
        ask=folders,
    ),
    Check(
        name="secrets",
        looks_for="secret files that their reader cannot read, or that others can",
        remedy="`./breakwater up` settles them; a secret that others could read should be made anew",
        ask=secrets,
    ),
    Check(
        name="port",
        looks_for="another program on the port of the proxy, and which",
        remedy="stop that program, or set BREAKWATER_PORT",
        ask=port,
    ),
    Check(
        name="disk",
        looks_for="a disk below the reserve or near it, and one that runs out of inodes",
        remedy="free space, or take a larger disk; BREAKWATER_DISK_RESERVE_PERCENT and _BYTES set the reserve",
        ask=space,
    ),
)
