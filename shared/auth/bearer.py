"""Checking a registry token before what it allows is believed: what the registry itself checks, and nothing looser.

ES256 alone; the key comes from the registry's certificate bundle, or from a certificate in the token's `x5c` that a
root of the bundle has issued. Keys that a token brings in any other way are not looked at.
"""

import base64
import binascii
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.auth.principals import SYSTEM_PREFIX, PrincipalKind
from shared.settings import CLOCK_LEEWAY, TOKEN_ISSUER, TOKEN_SERVICE

ALGORITHM: Final = "ES256"
TOKEN_LIMIT: Final = 64 * 1024
"""Characters of a token that are looked at: a hundred scopes fit well."""

_REMEMBERED: Final = 64
_ROBOT: Final = "$"
"""In every robot's prefix, however it is configured, and in no user's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bearer:
    """What a valid token says: who, and what it allows in which repository."""

    subject: str
    access: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lists_all: bool = False
    """Whether it opens the catalog of all repositories."""

    def allows(self, action: str, repository: str) -> bool:
        """Whether an action is granted on a repository."""
        granted = self.access.get(repository, frozenset())
        return action in granted or "*" in granted

    @property
    def kind(self) -> PrincipalKind:
        """What the subject is."""
        if not self.subject:
            return PrincipalKind.ANONYMOUS
        if self.subject.startswith(SYSTEM_PREFIX):
            return PrincipalKind.SYSTEM
        return PrincipalKind.ROBOT if _ROBOT in self.subject else PrincipalKind.USER


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """Why a token is not believed; for the log, never for the client."""

    reason: str


class Verifier:
    """The certificates of one bundle file, read again when the file changes; safe to share between threads."""

    def __init__(self, bundle: Path, *, issuer: str = TOKEN_ISSUER, audience: str = TOKEN_SERVICE) -> None:
        self._bundle = bundle
        self._issuer = issuer
        self._audience = audience
        self._lock = threading.Lock()
        self._read_at: tuple[int, int] | None = None
        self._published: tuple[x509.Certificate, ...] = ()
        self._by_kid: dict[str, x509.Certificate] = {}
        self._issued: dict[str, x509.Certificate] = {}

    def read(self, header: str | None) -> Bearer | Rejected | None:
        """Believe the token of an Authorization header or not; None where it holds none."""
        scheme, _, token = (header or "").partition(" ")
        return self.verify(token.strip()) if scheme.lower() == "bearer" else None

    def verify(self, token: str) -> Bearer | Rejected:
        """Believe a token or not; time-outs and clock leeway are the registry's."""
        if len(token) > TOKEN_LIMIT:
            return Rejected(reason="the token is too long")
        try:
            key = self._key(jwt.get_unverified_header(token))
            if key is None:
                return Rejected(reason="the token is signed by no key of ours")
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                leeway=CLOCK_LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, RecursionError, TypeError, OverflowError) as error:
            return Rejected(reason=f"{type(error).__name__}: {error}"[:200])
        subject = claims.get("sub", "")
        access = claims.get("access")
        return Bearer(
            subject=subject if isinstance(subject, str) else "", access=_access(access), lists_all=_lists_all(access)
        )

    def _key(self, header: Mapping[str, Any]) -> ec.EllipticCurvePublicKey | None:
        self._refresh()
        certificate = self._by_kid.get(str(header.get("kid"))) or self._from_chain(header.get("x5c"))
        if certificate is None or not _is_valid_now(certificate):
            return None
        key = certificate.public_key()
        return key if isinstance(key, ec.EllipticCurvePublicKey) else None

    def _from_chain(self, chain: object) -> x509.Certificate | None:
        """The leaf of an `x5c` header, if it is in the bundle or a root of the bundle has issued it."""
        if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
            return None
        encoded = chain[0]
        if encoded in self._issued:
            return self._issued[encoded]
        try:
            leaf = x509.load_der_x509_certificate(base64.b64decode(encoded, validate=True))
        except (ValueError, binascii.Error):
            return None
        if leaf not in self._published and not any(_issued_by(leaf, root) for root in self._published):
            return None
        with self._lock:
            if len(self._issued) >= _REMEMBERED:
                self._issued.clear()
            self._issued[encoded] = leaf
        return leaf

    def _refresh(self) -> None:
        """Read the bundle where it is not the one that was read; one that is unreadable leaves what is known."""
        try:
            status = self._bundle.stat()
            read_at = (status.st_ino, status.st_mtime_ns)
            if read_at == self._read_at:
                return
            published = tuple(x509.load_pem_x509_certificates(self._bundle.read_bytes()))
        except (OSError, ValueError):
            return
        with self._lock:
            self._published = published
            self._by_kid = {key_id(certificate): certificate for certificate in published}
            self._issued = {}
            self._read_at = read_at


def key_id(certificate: x509.Certificate) -> str:
    """The fingerprint that libtrust makes of a public key, as registry 2.8 names keys."""
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(sha256(public).digest()[:30]).decode("ascii")
    return ":".join(text[start : start + 4] for start in range(0, len(text), 4))


def _issued_by(leaf: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        if not root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        leaf.verify_directly_issued_by(root)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return _is_valid_now(root)


def _is_valid_now(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc


def _access(claim: object) -> dict[str, frozenset[str]]:
    """Repositories and what is granted in them; an entry of another form grants nothing."""
    granted: dict[str, frozenset[str]] = {}
    for entry in claim if isinstance(claim, list) else []:
        if not isinstance(entry, dict) or entry.get("type") != "repository":
            continue
        name, actions = entry.get("name"), entry.get("actions")
        if isinstance(name, str) and isinstance(actions, list):
            allowed = frozenset(action for action in actions if isinstance(action, str))
            granted[name] = granted.get(name, frozenset()) | allowed
    return granted


def _lists_all(claim: object) -> bool:
    """Whether one of the entries is registry:catalog:*, in just that form."""
    return any(
        isinstance(entry, dict)
        and (entry.get("type"), entry.get("name")) == ("registry", "catalog")
        and isinstance(entry.get("actions"), list)
        and "*" in entry["actions"]
        for entry in (claim if isinstance(claim, list) else [])
    )
