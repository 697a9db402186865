"""Credentials that were right a moment ago: in this process's memory, for minutes, and never in readable form.

argon2 and a directory are slow by design; a client that pulls all day must not pay them at every token.
"""

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, TypeVar

from shared.auth.authenticate import Accepted, Credential, Method
from shared.auth.principals import PrincipalKind

LIFETIME: Final = timedelta(minutes=5)
LDAP_LIFETIME: Final = timedelta(seconds=60)
"""A directory does not tell us that a password was changed or an account closed: it is asked again soon."""
_MOST: Final = 20_000
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """An account whose credential was right; whether the account is still the same, the database says each time."""

    kind: PrincipalKind
    id: int
    name: str
    credential_version: int
    method: Method
    until: datetime


class CredentialMemory:
    """What is kept is keyed by an HMAC under a key of this process: a memory dump holds no password.

    Credentials that were ever right stay known (as a bare HMAC) after they have to be checked again; the guessing
    limit lets them through to that check. Those that were wrong stay known too: sent again, they are no further guess.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, Remembered] = OrderedDict()
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._refuted: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def key(self, credential: Credential) -> bytes:
        """The HMAC of a name and a password; nobody can tell the two apart in it, or recover them."""
        name = credential.name.encode(errors="surrogatepass")
        password = credential.password.reveal().encode(errors="surrogatepass")
        return hmac.digest(self._key, len(name).to_bytes(4, "big") + name + password, "sha256")

    def recall(self, key: bytes, now: datetime) -> Remembered | None:
        """The account of a credential that was right not long ago."""
        kept = self._kept.get(key)
        return kept if kept is not None and now < kept.until else None

    def remember(self, key: bytes, accepted: Accepted, now: datetime) -> None:
        """Keep a credential that is right."""
        principal = accepted.principal
        if principal.id is None:
            return
        lifetime = LDAP_LIFETIME if accepted.method is Method.LDAP else LIFETIME
        kept = Remembered(
            kind=principal.kind,
            id=principal.id,
            name=principal.name,
            credential_version=principal.credential_version,
            method=accepted.method,
            until=now + lifetime,
        )
        with self._lock:
            _put(self._kept, key, kept)
            _put(self._proven, key, None)
            self._refuted.pop(key, None)

    def refute(self, key: bytes) -> None:
        """Drop a credential that is not right, or no longer."""
        with self._lock:
            self._kept.pop(key, None)
            self._proven.pop(key, None)
            _put(self._refuted, key, None)

    def is_proven(self, key: bytes) -> bool:
        """Whether this very credential was right once, and has not been found wrong since."""
        return key in self._proven

    def is_refuted(self, key: bytes) -> bool:
        """Whether this very credential was found wrong, and has not been right since."""
        return key in self._refuted


def _put(kept: OrderedDict[bytes, _Value], key: bytes, value: _Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _MOST:
        kept.popitem(last=False)
