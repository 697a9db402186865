"""The system users that the parts run as: separate ones where root starts them, the caller's own where not.

`breakwater` runs the Python parts and the proxy, `breakwater-token` the one process that may read the signing key,
`breakwater-data` what keeps data: database, broker, registry, log.
"""

import grp
import os
import pwd
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shared.errors import ConfigurationError


class Account(StrEnum):
    """Who a part runs as; the value is the system user's name."""

    PARTS = "breakwater"
    TOKEN = "breakwater-token"  # noqa: S105 - a user's name
    DATA = "breakwater-data"
    OPERATOR = "root"


@dataclass(frozen=True, kw_only=True)
class Ownership:
    """Whose a file or folder is to be, and who may do what with it."""

    path: Path
    account: Account
    mode: int
    group: Account | None = None


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The user and group ids of each account; `separate` tells whether they differ at all."""

    separate: bool
    ids: Mapping[Account, tuple[int, int]]

    def user(self, account: Account) -> str | None:
        """The name to switch to, or None where nothing is switched."""
        return account.value if self.separate else None

    @property
    def group(self) -> int:
        """The group that all accounts share."""
        return self.ids[Account.PARTS][1]

    def give(self, path: Path, account: Account, mode: int, *, group: Account | None = None) -> None:
        """Set owner and mode of a file or folder."""
        if self.separate:
            user, own_group = self.ids[account]
            os.chown(path, user, self.ids[group][1] if group else own_group, follow_symlinks=False)
        path.chmod(mode)

    def settle(self, ownership: Ownership) -> None:
        """Set owner and mode as they are to be."""
        self.give(ownership.path, ownership.account, ownership.mode, group=ownership.group)

    def run(
        self, account: Account, command: list[str | Path], *, folder: Path, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as that user, with nothing of our environment, whatever its exit code."""
        user, group = self.ids[account] if self.separate else (None, None)
        return subprocess.run(
            command, user=user, group=group, extra_groups=[self.group] if self.separate else None, umask=0o077,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, cwd=folder,
            capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip


def accounts() -> Accounts:
    """The accounts at hand; made where root runs this for the first time on a machine."""
    if os.geteuid() == 0:
        _ensure_group(Account.PARTS)
        for account in (Account.PARTS, Account.TOKEN, Account.DATA):
            _ensure_user(account)
    return known_accounts()


def known_accounts() -> Accounts:
    """The accounts at hand, and none is made. Raises KeyError where root lacks one."""
    if os.geteuid() != 0:
        mine = (os.geteuid(), os.getegid())
        return Accounts(separate=False, ids=dict.fromkeys(Account, mine))
    entries = {account: pwd.getpwnam(account.value) for account in Account}
    return Accounts(separate=True, ids={account: (entry.pw_uid, entry.pw_gid) for account, entry in entries.items()})


def _ensure_group(account: Account) -> None:
    try:
        grp.getgrnam(account.value)
    except KeyError:
        _run("groupadd", "--system", account.value)


def _ensure_user(account: Account) -> None:
    try:
        pwd.getpwnam(account.value)
    except KeyError:
        own_group = ["--gid", account.value] if account is Account.PARTS else ["--user-group"]
        shared = [] if account is Account.PARTS else ["--groups", Account.PARTS.value]
        _run(
            "useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin",
            *own_group, *shared, account.value,
        )  # fmt: skip


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise ConfigurationError(f"a system user cannot be made: {done.stderr.strip() or command[0]}")
