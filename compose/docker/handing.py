"""What each part is given of the secrets: a volume of its own, where they lie as they do among all of them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from compose.local.accounts import Accounts
from compose.local.layout import DEFINITIONS, REGISTRIES, REGISTRYCTL, USERS, Layout
from services.audit.key import KEY_FILE
from services.token.keys import STATE

HANDED_OUT = Path("/handed-out")
"""Holds the volume of each part."""
NEEDS = {
    "token": ("token", "config-key"),
    "core": ("core", "config-key", "metadata/system-credential", "registry/bundle.pem"),
    "events": ("events", "config-key"),
    "intake": ("intake",),
    "relay": ("relay",),
    "audit": ("audit",),
    "metadata": ("metadata",),
    "webhook": ("webhook", "config-key"),
    "replication": ("replication", "config-key"),
    "postgres": ("postgres",),
    "rabbitmq": (f"rabbitmq/{DEFINITIONS}", f"rabbitmq/{USERS}"),
    "registry": ("registry/bundle.pem", *(f"registry/{name}" for name in (*REGISTRIES.values(), REGISTRYCTL))),
    "proxy": ("proxy",),
}
"""What each part may read. The audit part makes one more secret for itself, which stays."""
READ_KEYS = ("core", "registry", "token")
"""Parts that are given keys, or the certificates of them: whoever signs comes last."""
SIGNED_WITH_ELSEWHERE = "root.key"
"""Certifies new signers, at a rotation alone: no part holds it."""
ALONE = "something else is at work on the secrets of this instance just now: wait until it has ended"
"""What whoever comes second is told: one at a time makes, changes or lays them."""
_SIGNING = Path("token", "signing")
_CERTIFICATE = "proxy"
"""Holds the proxy's, with its key, for as long as there is TLS."""


def hand_out(layout: Layout, users: Accounts, parts: Iterable[str] = NEEDS, *, volumes: Path = HANDED_OUT) -> None:
    """Give these parts what they need as it is now."""
    for part in parts:
        _give(layout, volumes / part, NEEDS[part], users)


def gather(layout: Layout, users: Accounts, *, volumes: Path = HANDED_OUT) -> None:
    """Take in the one secret that a part has made for itself: who checks the record needs it, and so does a backup."""
    made, kept = volumes / "audit" / "audit" / KEY_FILE, layout.secrets / "audit" / KEY_FILE
    if made.exists() and not kept.exists():
        _copy(made, kept, users)


def _give(layout: Layout, target: Path, names: tuple[str, ...], users: Accounts) -> None:
    target.mkdir(exist_ok=True)
    for name in names:
        source = layout.secrets / name
        if source.is_dir():
            # which key signs is told when that key is there
            for path in (source, *sorted(source.rglob("*"), key=lambda each: each.name == STATE)):
                if path.name != SIGNED_WITH_ELSEWHERE:
                    _copy(path, target / path.relative_to(layout.secrets), users)
        elif source.exists():
            (target / name).parent.mkdir(exist_ok=True)
            _copy(source, target / name, users)
        elif name == _CERTIFICATE:
            shutil.rmtree(target / name, ignore_errors=True)
    _take_back(layout.secrets / _SIGNING, target / _SIGNING)
    target.chmod(0o711)


def _take_back(source: Path, target: Path) -> None:
    """Keys that no longer sign."""
    for path in target.glob("*.key"):
        if not (source / path.name).exists():
            path.unlink()


def _copy(source: Path, target: Path, users: Accounts) -> None:
    """With its owner and mode, so that nobody else can read it there either; a file at once, as it may be in use."""
    made = target
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        made = target.with_name(f".{target.name}.new")
        made.unlink(missing_ok=True)
        made.touch(mode=0o600)
        shutil.copyfile(source, made)
    found = source.stat()
    if users.separate:
        shutil.chown(made, found.st_uid, found.st_gid)
    made.chmod(found.st_mode & 0o7777)
    if made != target:
        made.replace(target)
