"""What went wrong with another registry: one table from its statuses to faults, and sentences that can be shown.

A sentence carries what the other side said, cut, and nothing that could be a secret of ours.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TimedOut

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed

_SHOWN: Final = 200
_LONGEST_PAUSE: Final = timedelta(days=1)
_FAULTS: Final[Mapping[int, Fault]] = {
    HTTPStatus.UNAUTHORIZED: Fault.DENIED,
    HTTPStatus.FORBIDDEN: Fault.DENIED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: Fault.DENIED,
    HTTPStatus.NOT_FOUND: Fault.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT: Fault.UNREACHABLE,
    HTTPStatus.TOO_EARLY: Fault.OVERLOADED,
    HTTPStatus.TOO_MANY_REQUESTS: Fault.OVERLOADED,
    HTTPStatus.SERVICE_UNAVAILABLE: Fault.OVERLOADED,
    HTTPStatus.INSUFFICIENT_STORAGE: Fault.OVERLOADED,
}
"""Besides these: a 5xx is a SERVER_ERROR, and any other answer that was not asked for REFUSED."""
_CLOSED: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED})
"""A write refused so is let in later where Retry-After says it: by a registry without room, or in maintenance."""

# the narrower kinds first
_TROUBLES: Final[tuple[tuple[type[Exception], Fault, str], ...]] = (
    (EmptyPoolError, Fault.INTERNAL, "no connection became free in time"),
    (SSLError, Fault.UNREACHABLE, "the certificate cannot be trusted"),
    (ProxyError, Fault.UNREACHABLE, "the proxy cannot be used"),
    (NameResolutionError, Fault.UNREACHABLE, "the name is not known"),
    (NewConnectionError, Fault.UNREACHABLE, "no connection can be made"),
    (ConnectTimeoutError, Fault.UNREACHABLE, "no connection came about in time"),
    (TimedOut, Fault.UNREACHABLE, "nothing came in time"),
    (IncompleteRead, Fault.UNREACHABLE, "the answer broke off"),
    (ProtocolError, Fault.UNREACHABLE, "the connection broke off"),
)


def trouble(error: Exception, host: str) -> AttemptFailed:
    """For what urllib3, or the socket below it, raised on the way to a host."""
    if isinstance(error, ProxyError) and isinstance(error.original_error, SSLError):
        # at the other end of the tunnel, for the proxy itself is spoken to without TLS
        error = error.original_error
    for kind, fault, sentence in _TROUBLES:
        if isinstance(error, kind):
            more = f" ({printable(str(error))})" if kind is SSLError else ""
            return AttemptFailed(fault, f"{host}: {sentence}{more}")
    return AttemptFailed(Fault.UNREACHABLE, f"{host}: the connection failed: {type(error).__name__}")


def refusal(
    what: str, status: int, headers: Mapping[str, str], body: bytes, *, push: bool = False, now: datetime | None = None
) -> AttemptFailed:
    """For an answer that is not the one that was asked for."""
    codes, told = _errors(body)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        # what comes after the host can be signed, and so be a credential
        host = urlsplit(headers.get("Location", "")).netloc.rpartition("@")[2]
        told = f"it leads to {printable(host) or 'another path'}, and redirects are not followed"
    sentence = f"{what} was answered with {status}{f': {told}' if told else ''}"
    after = _after(headers, now)
    if push and after is not None and status in _CLOSED:
        return AttemptFailed(Fault.OVERLOADED, sentence, after=after)
    return AttemptFailed(_fault(status, codes, told, push=push), sentence, after=after)


def printable(text: str, limit: int = _SHOWN) -> str:
    """A foreign text in one line, cut."""
    return "".join(char if char.isprintable() else " " for char in text[:limit]).strip()


def _fault(status: int, codes: frozenset[str], told: str, *, push: bool) -> Fault:
    if "DIGEST_INVALID" in codes:
        return Fault.CORRUPT
    if "MANIFEST_BLOB_UNKNOWN" in codes:
        return Fault.NOT_FOUND
    # a registry that takes the credential, and not this content: Harbor's quotas and scanners answer so
    if push and status == HTTPStatus.FORBIDDEN and ("DENIED" in codes or "quota" in told.lower()):
        return Fault.REFUSED
    found = _FAULTS.get(status)
    if found is not None:
        return found
    return Fault.SERVER_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Fault.REFUSED


def _errors(body: bytes) -> tuple[frozenset[str], str]:
    """The codes and the sentence of an error's body: in the form of the specification, or whatever it is."""
    content: object = None
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
    if isinstance(content, dict):
        listed = content.get("errors")
        errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else [content]
        codes = frozenset(str(each.get("code") or "") for each in errors)
        words = (each.get("message") or each.get("detail") or each.get("error") or each.get("code") for each in errors)
        return codes, printable("; ".join(str(word) for word in words if word))
    return frozenset(), printable(body[: _SHOWN * 4].decode(errors="replace"))


def _after(headers: Mapping[str, str], now: datetime | None) -> timedelta | None:
    """What Retry-After asks for: seconds, or a date."""
    asked = headers.get("Retry-After", "").strip()
    if not asked:
        return None
    with suppress(ValueError, OverflowError):
        pause = (
            timedelta(seconds=int(asked))
            if asked.isdecimal()
            else parsedate_to_datetime(asked).astimezone(UTC) - (now or datetime.now(UTC))
        )
        return min(max(pause, timedelta()), _LONGEST_PAUSE)
    return None
