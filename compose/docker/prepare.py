"""`python -m compose.docker.prepare`: runs once before all others and makes what they need, each its own secrets.

Every part mounts a volume of its own where the secrets lie; what is put into it is listed here.
"""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from compose.docker.site import container_site
from compose.local.accounts import Accounts, accounts
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets, settle_owners
from compose.local.database import make_database
from compose.local.folders import keep_certificate, make_folders
from compose.local.layout import Layout
from services.token import keys
from shared.errors import BreakwaterError
from shared.secrets import Secret

HANDED_OUT = Path("/handed-out")
"""Holds the volume of each part."""
NEEDS = {
    "token": ("token", "config-key"),
    "core": ("core", "config-key", "registry/bundle.pem"),
    "events": ("events", "config-key"),
    "intake": ("intake",),
    "relay": ("relay",),
    "audit": ("audit",),
    "metadata": ("metadata",),
    "webhook": ("webhook", "config-key"),
    "replication": ("replication", "config-key"),
    "registry": ("registry/bundle.pem",),
    "proxy": ("proxy",),
}
"""What each part may read. The audit part makes one more secret for itself, which stays."""
SIGNED_WITH_ELSEWHERE = "root.key"
"""Certifies new signers, at a rotation alone: no part holds it."""


def prepare() -> None:
    """Make what is missing; a second run changes nothing."""
    site = container_site()
    layout, options, users = site.layout, site.options, accounts()
    make_folders(layout, users)
    password = options.admin_password
    prepare_secrets(layout, users, admin_password=Secret(password.get_secret_value()) if password else None)
    keys.ensure(layout.secrets / "token" / "signing", layout.secrets / "registry" / "bundle.pem", datetime.now(UTC))
    settle_owners(layout, users)
    keep_certificate(layout, options, users)
    shutil.copyfile(layout.instance_id, layout.conf / layout.instance_id.name)
    configure(site, users)
    for part, names in NEEDS.items():
        _hand_out(layout, HANDED_OUT / part, names, users)
    make_database(site, users)


def _hand_out(layout: Layout, target: Path, names: tuple[str, ...], users: Accounts) -> None:
    target.mkdir(exist_ok=True)
    for name in names:
        source = layout.secrets / name
        if source.is_dir():
            for path in (source, *source.rglob("*")):
                if path.name != SIGNED_WITH_ELSEWHERE:
                    _copy(path, target / path.relative_to(layout.secrets), users)
        elif source.exists():
            (target / name).parent.mkdir(exist_ok=True)
            _copy(source, target / name, users)
    target.chmod(0o711)


def _copy(source: Path, target: Path, users: Accounts) -> None:
    """With its owner and mode, so that nobody else can read it there either."""
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        shutil.copyfile(source, target)
    found = source.stat()
    if users.separate:
        shutil.chown(target, found.st_uid, found.st_gid)
    target.chmod(found.st_mode & 0o7777)


if __name__ == "__main__":
    try:
        prepare()
    except BreakwaterError as error:
        sys.exit(error.sentence)
