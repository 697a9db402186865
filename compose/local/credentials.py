"""The secret files of an instance: made once, kept for ever, each with its readers and nobody else."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from cryptography.fernet import Fernet

from compose.local.accounts import Account, Accounts, Ownership
from compose.local.layout import Layout
from shared.messaging import topology
from shared.secrets import Secret, write_secret

DATABASE_PARTS = ("token", "core", "events", "intake", "relay", "audit", "metadata", "webhook", "replication", "owner")
SYSTEM_SERVICES = ("metadata", "replication")
_BITS = 32


def reader_of(part: str) -> Account:
    """Who reads a part's folder of secrets."""
    match part:
        case "token":
            return Account.TOKEN
        case "owner" | "tls" | topology.LISTENER:
            return Account.OPERATOR
        case "registry" | "postgres" | "rabbitmq":
            return Account.DATA
        case _:
            return Account.PARTS


def prepare_secrets(layout: Layout, accounts: Accounts, *, admin_password: Secret | None) -> None:
    """Make what is missing, then settle owners and modes. Raises OSError where the disk does not take it."""
    root = layout.secrets
    for part in DATABASE_PARTS:
        _make(root / part / "database-password")
    for part in topology.USERS:
        _make(root / part / "amqp-password")
    for service in SYSTEM_SERVICES:
        _make(root / service / "system-credential")
    _make(root / "metadata" / "registryctl-credential")
    _make(root / "postgres" / "superuser-password")
    _make(root / "registry" / "http-secret")
    _make(root / "intake" / "notification-token")
    layout.broker_conf.mkdir(exist_ok=True)
    if not (root / "config-key").exists():
        write_secret(root / "config-key", Fernet.generate_key().decode("ascii") + "\n")
    if not layout.admin_password.exists():
        password = admin_password.reveal() if admin_password else new_password()
        write_secret(layout.admin_password, password + "\n")
    write_secret(root / "token" / "system-credentials.json", json.dumps(_fingerprints(root)) + "\n")
    if not layout.instance_id.exists():
        write_secret(layout.instance_id, f"{uuid4()}\n", mode=0o644)
    settle_owners(layout, accounts)


def new_password() -> str:
    """A password that fits every rule: upper and lower case, a digit, 24 characters."""
    while True:
        text = secrets.token_urlsafe(18)
        if any(map(str.isupper, text)) and any(map(str.islower, text)) and any(map(str.isdigit, text)):
            return text


def settle_owners(layout: Layout, accounts: Accounts) -> None:
    """Give each secret to its reader. Called again by whatever writes a secret."""
    for ownership in secret_owners(layout):
        accounts.settle(ownership)


def secret_owners(layout: Layout) -> list[Ownership]:
    """Whose each secret that is there has to be."""
    root = layout.secrets
    found = {root: Ownership(path=root, account=Account.OPERATOR, mode=0o711)}
    for folder in (entry for entry in root.iterdir() if entry.is_dir()):
        reader = reader_of(folder.name)
        for path in (folder, *folder.rglob("*")):
            found[path] = Ownership(path=path, account=reader, mode=0o700 if path.is_dir() else 0o600)
    special = [
        Ownership(path=layout.admin_password, account=Account.OPERATOR, mode=0o600),
        # it certifies new keys, at a rotation alone: the token mount signs without it
        Ownership(path=root / "token" / "signing" / "root.key", account=Account.OPERATOR, mode=0o600),
        # read by the token mount and by the API: the two that handle stored secrets
        Ownership(path=root / "config-key", account=Account.OPERATOR, mode=0o640, group=Account.PARTS),
    ]
    bundle = root / "registry" / "bundle.pem"
    if bundle.exists():
        # certificates are public: the gate checks tokens with them as the registry does
        special += [
            Ownership(path=bundle.parent, account=Account.DATA, mode=0o711),
            Ownership(path=bundle, account=Account.DATA, mode=0o644),
        ]
    return list((found | {each.path: each for each in special if each.path.exists()}).values())


def passwords(layout: Layout, parts: tuple[str, ...], name: str) -> Mapping[str, Secret]:
    """One kind of password of several parts."""
    return {part: Secret.read(layout.secrets / part / name) for part in parts}


def _make(path: Path) -> None:
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(_BITS) + "\n")


def _fingerprints(root: Path) -> dict[str, str]:
    """What the token mount compares a system credential with: it never holds the credential itself."""
    return {
        service: hashlib.sha256(Secret.read(root / service / "system-credential").reveal().encode()).hexdigest()
        for service in SYSTEM_SERVICES
    }
