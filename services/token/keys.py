"""The keys that sign registry tokens, as files: made once, rotated without any restart.

A root certificate, made at first start, issues the signers' certificates. A running registry knows only the bundle it
read at its start; as the root is in it, the registry accepts every later signer by the certificate in the token's `x5c`
header, after any number of rotations. The bundle also holds the previous, the current and the next signer, for whoever
looks keys up by their id. The root's key is needed for rotations only, never for signing.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from services.token.certificates import SigningKey, from_pem, issue, to_pem
from services.token.errors import SigningKeysUnusable

STATE: Final = "state.json"
_ROOT: Final = "root"


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """The signers of an instance, each in its turn."""

    root: x509.Certificate
    previous: SigningKey | None
    current: SigningKey
    next: SigningKey

    @property
    def signers(self) -> list[SigningKey]:
        """The signers whose certificates are published."""
        return [key for key in (self.previous, self.current, self.next) if key]

    @property
    def bundle(self) -> bytes:
        """What the registry reads: all certificates, the root first."""
        certificates = [self.root, *(key.certificate for key in self.signers)]
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Which key took over from which."""

    previous: str
    current: str


def ensure(folder: Path, bundle: Path, now: datetime) -> KeyRing:
    """Make what is missing: folder, root, signers, bundle. A second call changes nothing.

    A crash at any point leaves a state that the next call completes. Raises SigningKeysUnusable.
    """
    with _locked(folder):
        root = _ensure_root(folder, now)
        if not (folder / STATE).exists():
            _begin(folder, _two(folder, root, now))
        ring = read_ring(folder)
        _publish(bundle, ring)
        _prune(folder, ring)
    return ring


def rotate(folder: Path, bundle: Path, now: datetime) -> Rotation:
    """Let the next key sign from now on, and make a new next one. Raises SigningKeysUnusable.

    The bundle is written before the switch: at no moment does a key sign whose certificate is not published.
    """
    with _locked(folder):
        ring = read_ring(folder)
        fresh = issue(_read_key(folder, _ROOT), now)
        turned = KeyRing(root=ring.root, previous=ring.current, current=ring.next, next=fresh)
        _store(folder, fresh)
        _publish(bundle, turned)
        _write_state(folder, {"previous": ring.current.slug, "current": ring.next.slug, "next": fresh.slug})
        _prune(folder, turned)
    return Rotation(previous=ring.current.kid, current=turned.current.kid)


def renew(folder: Path, bundle: Path, now: datetime) -> Rotation:
    """Make a new root and new signers after a theft; once the registry has read the bundle anew, nothing older is good.

    It has to be restarted at once: until then it refuses what the new keys sign. Raises SigningKeysUnusable.
    """
    with _locked(folder):
        previous = read_current(folder)
        root = issue(None, now)
        signers = _two(folder, root, now)
        _write_root(folder, root)
        turned = KeyRing(root=root.certificate, previous=None, current=signers[0], next=signers[1])
        _publish(bundle, turned)
        _begin(folder, signers)
        _prune(folder, turned)
    return Rotation(previous=previous.kid, current=turned.current.kid)


def read_ring(folder: Path) -> KeyRing:
    """The signers as they stand. Raises SigningKeysUnusable."""
    state = _read_state(folder)
    previous = state.get("previous")
    return KeyRing(
        root=_read_certificate(folder / f"{_ROOT}.crt"),
        previous=_read_key(folder, previous) if previous else None,
        current=_read_key(folder, state.get("current") or ""),
        next=_read_key(folder, state.get("next") or ""),
    )


def read_current(folder: Path) -> SigningKey:
    """The key that signs now. Raises SigningKeysUnusable."""
    return _read_key(folder, _read_state(folder).get("current") or "")


def _ensure_root(folder: Path, now: datetime) -> SigningKey:
    if not (folder / f"{_ROOT}.key").exists():
        _write_root(folder, issue(None, now))
    root = _read_key(folder, _ROOT)
    path = folder / f"{_ROOT}.crt"
    if not path.exists() or path.read_bytes() != root.certificate.public_bytes(Encoding.PEM):
        _write_root(folder, root)
    return root


def _write_root(folder: Path, root: SigningKey) -> None:
    _write(folder / f"{_ROOT}.key", to_pem(root), mode=0o600)
    _write(folder / f"{_ROOT}.crt", root.certificate.public_bytes(Encoding.PEM), mode=0o644)


def _two(folder: Path, root: SigningKey, now: datetime) -> tuple[SigningKey, SigningKey]:
    """A first signer and its successor, stored."""
    signers = issue(root, now), issue(root, now)
    for key in signers:
        _store(folder, key)
    return signers


def _begin(folder: Path, signers: tuple[SigningKey, SigningKey]) -> None:
    _write_state(folder, {"previous": None, "current": signers[0].slug, "next": signers[1].slug})


def _store(folder: Path, key: SigningKey) -> None:
    """Write a signer's file, readable by whoever owns the folder: the token mount."""
    _write(folder / f"{key.slug}.key", to_pem(key), mode=0o600, like=folder)


def _publish(bundle: Path, ring: KeyRing) -> None:
    if not bundle.exists() or bundle.read_bytes() != ring.bundle:
        bundle.parent.mkdir(parents=True, exist_ok=True)
        _write(bundle, ring.bundle, mode=0o644, like=bundle.parent)


def _prune(folder: Path, ring: KeyRing) -> None:
    """Delete the keys that no longer sign, and what a crash left half-written."""
    kept = {_ROOT, *(key.slug for key in ring.signers)}
    for path in (*folder.glob("*.key"), *folder.glob(".*.new")):
        if path.stem not in kept:
            path.unlink(missing_ok=True)


def _read_key(folder: Path, name: str) -> SigningKey:
    path = folder / f"{name}.key"
    try:
        return from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningKeysUnusable(f"the signing key {path} cannot be read: {error}") from error


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningKeysUnusable(f"the certificate {path} cannot be read: {error}") from error


def _read_state(folder: Path) -> dict[str, str | None]:
    path = folder / STATE
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SigningKeysUnusable(f"{path} does not tell which key signs: {error}") from error
    if not isinstance(state, dict):
        raise SigningKeysUnusable(f"{path} does not tell which key signs")
    return state


def _write_state(folder: Path, state: dict[str, str | None]) -> None:
    _write(folder / STATE, json.dumps(state).encode() + b"\n", mode=0o600, like=folder)


def _write(path: Path, content: bytes, *, mode: int, like: Path | None = None) -> None:
    """Replace a file so that a crash leaves either the old or the whole new one; `like` names whose it becomes."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        if like and os.geteuid() == 0:
            owner = like.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time. Raises SigningKeysUnusable where the folder cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise SigningKeysUnusable(f"the folder of signing keys {folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
