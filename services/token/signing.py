"""The signature under a token: ES256, with whichever key is current at that moment.

Written out rather than left to a library because the header never changes between two rotations, and because this is
what every push and pull waits for.
"""

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from services.token.certificates import SigningKey
from services.token.errors import SigningKeysUnusable
from services.token.keys import STATE, read_current
from shared import logging

_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())
_COORDINATE: Final = 32
_encode: Final = msgspec.json.Encoder().encode


class Signer:
    """One key with the header that its tokens bear: `kid` for registry 2.8, `x5c` for every version."""

    def __init__(self, key: SigningKey) -> None:
        self.kid = key.kid
        self._private = key.private
        header = {"typ": "JWT", "alg": "ES256", "kid": key.kid, "x5c": [key.x5c]}
        self._prefix = _base64(json.dumps(header).encode()) + b"."

    def sign(self, payload: Mapping[str, object]) -> str:
        """The claims as a compact JWS (RFC 7515; RFC 7518 section 3.4)."""
        message = self._prefix + _base64(_encode(payload))
        r, s = decode_dss_signature(self._private.sign(message, _ALGORITHM))
        signature = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
        return (message + b"." + _base64(signature)).decode("ascii")


class CurrentSigner:
    """The current key of a folder; a rotation is noticed at the next token, by the state file's identity and time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = str(folder / STATE)
        self._seen: tuple[int, int] | None = None
        self._signer: Signer | None = None

    def get(self) -> Signer:
        """Raises SigningKeysUnusable where no key has ever been readable."""
        try:
            status = os.stat(self._state)  # noqa: PTH116 - half the cost of Path.stat, at every token
            seen = (status.st_ino, status.st_mtime_ns)
        except OSError:
            seen = None
        if seen != self._seen or self._signer is None:
            self._signer = self._read()
            self._seen = seen
        return self._signer

    def _read(self) -> Signer:
        try:
            return Signer(read_current(self._folder))
        except SigningKeysUnusable as error:
            if self._signer is None:
                raise
            logging.get().error("token.signing_key_unreadable", reason=error.sentence, kid=self._signer.kid)
            return self._signer


def _base64(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")
