"""`python -m compose.docker.prepare`: runs once before all others and makes what they need, each its own secrets.

Every part mounts a volume of its own where the secrets lie; what is put into it is listed here.
"""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from compose.docker import cluster
from compose.docker.scripts import start_script
from compose.docker.site import container_site
from compose.local.accounts import Account, Accounts, accounts
from compose.local.bucket import bucket_of, keep_keys
from compose.local.certificate import refuse_bad_certificate
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets, settle_owners
from compose.local.folders import keep_certificate, make_folders
from compose.local.layout import Layout
from compose.local.outside import keep_owner, refuse_left_behind
from compose.local.parts import INFRASTRUCTURE, parts
from compose.local.site import Site
from services.token import keys
from shared.errors import BreakwaterError
from shared.secrets import Secret

GIVEN = Path("/given")
"""Where an operator's own certificate is mounted."""
GIVEN_FOR_DATABASE = Path("/given-for-database")
"""Where the authorities of a database outside are mounted."""
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
    "registry": ("registry/bundle.pem",),
    "proxy": ("proxy",),
}
"""What each part may read. The audit part makes one more secret for itself, which stays."""
SIGNED_WITH_ELSEWHERE = "root.key"
"""Certifies new signers, at a rotation alone: no part holds it."""
SERVERS = (*INFRASTRUCTURE, "proxy")
"""Parts that are no Python of ours: a shell script starts them, in whatever image they are."""


def prepare() -> None:
    """Make what is missing; a second run changes nothing."""
    site = container_site(**_given_certificate(), database_ca=_given_authorities())
    layout, options, users = site.layout, site.options, accounts()
    _make_folders(site, users)
    _keep_instance_id(layout)
    keep_keys(layout, bucket_of(layout, options))
    refuse_left_behind(layout, options)
    keep_owner(site)
    password = options.admin_password
    prepare_secrets(layout, users, admin_password=Secret(password.get_secret_value()) if password else None)
    shutil.copyfile(layout.instance_id, _kept_instance_id(layout))
    keys.ensure(layout.secrets / "token" / "signing", layout.secrets / "registry" / "bundle.pem", datetime.now(UTC))
    settle_owners(layout, users)
    keep_certificate(layout, options, users, datetime.now(UTC))
    configure(site, users)
    for part in parts(site):
        if part.name in SERVERS:
            layout.conf.joinpath(f"{part.name}.sh").write_text(start_script(site, part), encoding="utf-8")
    cluster.prepare(site, users)
    for name, needed in NEEDS.items():
        _hand_out(layout, HANDED_OUT / name, needed, users)


def _given_certificate() -> dict[str, Path]:
    chain, key = GIVEN / "tls.crt", GIVEN / "tls.key"
    if not chain.exists():
        return {}
    refuse_bad_certificate(chain, key)
    return {"tls_cert": chain, "tls_key": key}


def _given_authorities() -> Path | None:
    found = GIVEN_FOR_DATABASE / "ca.crt"
    return found if found.exists() else None


def _make_folders(site: Site, users: Accounts) -> None:
    make_folders(site.layout, users)
    # the database makes its socket here in the group that all parts share
    users.give(site.database_socket, Account.OPERATOR, 0o3770, group=Account.PARTS)
    # nobody mounts it where the lines go elsewhere, as in a pod
    site.log_socket.parent.mkdir(exist_ok=True)
    users.give(site.log_socket.parent, Account.DATA, 0o750)


def _kept_instance_id(layout: Layout) -> Path:
    return layout.conf / layout.instance_id.name


def _keep_instance_id(layout: Layout) -> None:
    """The home itself is no volume, and what lies in it is gone with this container."""
    kept = _kept_instance_id(layout)
    if kept.exists():
        shutil.copyfile(kept, layout.instance_id)


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


if __name__ == "__main__":
    try:
        prepare()
    except BreakwaterError as error:
        sys.exit(error.sentence)
