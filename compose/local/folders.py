"""The folders of an instance, made before anything is put into them, and the refusals that come before that."""

import os
import pwd
import re
import shutil
import stat
import sys
from datetime import datetime
from pathlib import Path

from compose.local import network, processes
from compose.local.accounts import Account, Accounts, Ownership
from compose.local.certificate import make_certificate, refuse_bad_certificate
from compose.local.layout import Layout, refuse_closed_folders
from compose.local.options import Options
from services.api.domain.user import check_password
from shared.errors import BreakwaterError, ConfigurationError
from shared.secrets import Secret

_NEEDED = 128 * 2**20
"""Bytes that an instance takes before the first image: most of it is PostgreSQL's."""
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+@-]+")


class PortTaken(BreakwaterError):
    """The port that clients are to use is held by another program."""

    code = "PORT_TAKEN"


def refuse_unusable(layout: Layout, options: Options, *, separate: bool) -> None:
    """Everything that can be told to be wrong before anything is touched. Raises ConfigurationError."""
    for path in (layout.home, layout.code):
        if not _PLAIN_PATH.fullmatch(str(path)):
            raise ConfigurationError(
                f"{path} cannot be used: its name may hold letters, digits and . _ - + @ only; set BREAKWATER_HOME"
            )
    if separate:
        # the interpreter itself too: the virtual environment holds a link to it
        refuse_closed_folders(layout.home.parent, layout.code, Path(sys.prefix), Path(sys.executable).resolve())
    _refuse_foreign_home(layout)
    if layout.restoring_flag.exists():
        raise ConfigurationError(f"a restore into {layout.home} did not end: run ./breakwater restore again")
    if not layout.instance_id.exists():
        _refuse_full_disk(layout.home)
    if options.admin_password and not layout.admin_password.exists():
        _refuse_weak_password(Secret(options.admin_password.get_secret_value()))
    if options.tls_cert and options.tls_key:
        refuse_bad_certificate(options.tls_cert, options.tls_key)


def refuse_taken_port(options: Options) -> None:
    """Raises PortTaken, or ConfigurationError where this user may not listen there.

    A port that this very instance holds is not taken.
    """
    for variable, port in options.open_ports.items():
        _refuse_taken(options, variable, port)


def _refuse_taken(options: Options, variable: str, port: int) -> None:
    address = str(options.bind)
    try:
        if network.is_free(address, port):
            return
    except PermissionError as error:
        raise ConfigurationError(f"port {port} needs root: set {variable} to 1024 or more") from error
    except OSError as error:
        raise ConfigurationError(
            f"BREAKWATER_BIND is not valid: this machine cannot listen on {address} ({error.strerror})"
        ) from error
    pid = network.holder(port)
    if pid in processes.of_instance(options.home):
        return
    who = f"{processes.title(pid)} (pid {pid})" if pid else "a program that this user may not see"
    raise PortTaken(f"port {port} on {address} is taken by {who}: stop it, or set {variable}")


def make_folders(layout: Layout, accounts: Accounts) -> None:
    """Make what is missing; settle owners and modes of all."""
    _make_run(layout, accounts)
    for folder in folder_owners(layout):
        folder.path.mkdir(exist_ok=True, parents=True)
        accounts.settle(folder)


def folder_owners(layout: Layout) -> list[Ownership]:
    """The folders that outlive a stop, and whose each has to be."""
    return [
        Ownership(path=path, account=account, mode=mode)
        for path, account, mode in (
            (layout.home, Account.OPERATOR, 0o755),
            (layout.conf, Account.OPERATOR, 0o755),
            (layout.secrets, Account.OPERATOR, 0o711),
            (layout.log, Account.DATA, 0o755),
            (layout.log / "state", Account.DATA, 0o700),
            (layout.database.parent, Account.DATA, 0o700),
            (layout.broker, Account.DATA, 0o700),
            (layout.registry, Account.DATA, 0o700),
            (layout.work, Account.OPERATOR, 0o1777),
            (layout.work / "proxy", Account.PARTS, 0o700),
        )
    ] + [Ownership(path=layout.spool, account=Account.OPERATOR, mode=0o750, group=Account.PARTS)]


def keep_certificate(layout: Layout, options: Options, accounts: Accounts, now: datetime) -> None:
    """Lay the certificate where the unprivileged proxy reads it at each handshake, and nobody else the key."""
    folder = layout.certificate.parent
    if not options.tls:
        shutil.rmtree(folder, ignore_errors=True)
        layout.public_certificate.unlink(missing_ok=True)
        return
    chain, key = options.tls_cert, options.tls_key
    if not (chain and key):
        chain, key = make_certificate(layout.made_certificate, options.names, now)
    folder.mkdir(exist_ok=True)
    accounts.give(folder, Account.PARTS, 0o700)
    _lay(layout.certificate, chain.read_bytes() + b"\n" + key.read_bytes(), Account.PARTS, 0o600, accounts)
    _lay(layout.public_certificate, chain.read_bytes(), Account.OPERATOR, 0o644, accounts)


def _lay(target: Path, content: bytes, account: Account, mode: int, accounts: Accounts) -> None:
    """Whole, by its name: a handshake finds the old one or the new one."""
    beside = target.with_name(f"{target.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    accounts.give(beside, account, mode)
    beside.replace(target)


def _make_run(layout: Layout, accounts: Accounts) -> None:
    """The run folder may lie where everybody may make one: a foreign one is refused."""
    run = layout.run
    try:
        run.mkdir(mode=0o700, parents=run.parent == layout.home)
    except FileExistsError:
        found = run.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise ConfigurationError(f"{run} belongs to somebody else: remove it, or set BREAKWATER_HOME") from None
    # parts make their sockets here in the shared group, and may not remove each other's
    accounts.give(run, Account.OPERATOR, 0o3770, group=Account.PARTS)


def _refuse_foreign_home(layout: Layout) -> None:
    """Its files belong to whoever started it first, and somebody else's parts could not use them."""
    if not layout.instance_id.exists():
        return
    owner = layout.instance_id.stat().st_uid
    if owner != os.geteuid():
        raise ConfigurationError(f"the instance in {layout.home} is user {_name(owner)}'s: run this as that user")


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _refuse_full_disk(home: Path) -> None:
    """A new instance has to fit; one that is there is started on what is left, so that its images can be pulled."""
    there = next(folder for folder in (home, *home.parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < _NEEDED:
        raise ConfigurationError(
            f"{home} cannot be used: {free // 2**20} MiB are free there, and a new instance needs {_NEEDED // 2**20}"
        )


def _refuse_weak_password(password: Secret) -> None:
    """The administrator's password keeps the rule that everybody's keeps."""
    try:
        check_password(password)
    except BreakwaterError as error:
        raise ConfigurationError(f"BREAKWATER_ADMIN_PASSWORD is not valid: {error.sentence}") from error
