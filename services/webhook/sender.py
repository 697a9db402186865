"""Sends one delivery and tells how it went: a POST over guarded connections, the answer read up to a limit."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from urllib3 import Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from services.webhook.domain.delivery import (
    DELIVERY_HEADER,
    EVENT_HEADER,
    SIGNATURE_HEADER,
    Claim,
    Fault,
    Outcome,
    signature,
)
from shared.outbound import Guard, OutboundClient, OutboundRefused
from shared.secrets import Sealer, Secret

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 10
BODY_SECONDS: Final = timedelta(seconds=5)
"""For the answer's body, which decides nothing: a delivery has arrived when the status says so."""
MOST_KEPT: Final = 4_096
"""Of an answer's head, and of its body, in bytes."""

_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
# the target says that it cannot now, whatever it is sent
_UNABLE: Final = frozenset({408, 425, 429})
_LOWEST_OF_SERVER: Final = 500
_MASK: Final = "***"
# the narrower kinds first
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (NameResolutionError, "the target's name is not known"),
    (NewConnectionError, "no connection to the target can be made"),
    (ConnectTimeoutError, f"the target did not take a connection within {CONNECT_SECONDS} s"),
    (ReadTimeoutError, f"the target did not answer within {READ_SECONDS} s"),
    (ProtocolError, "the target broke the connection off, or does not speak HTTP"),
)


class Sender:
    """What sending takes: connections with and without a check of the certificate, the keys, and a clock."""

    def __init__(self, guard: Guard, sealer: Sealer, *, clock: Callable[[], datetime]) -> None:
        timeout = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        self._verifying = OutboundClient(guard, timeout=timeout)
        self._trusting = OutboundClient(guard, timeout=timeout, verify=False)
        self._sealer = sealer
        self._clock = clock

    def send(self, claim: Claim) -> Outcome:
        """Send it once. Raises ConfigurationError where a stored secret cannot be opened."""
        started_at = self._clock()
        auth_header, secret = self._open(claim.auth_header), self._open(claim.signing_secret)
        body = claim.body.encode()
        headers = _headers(claim, body, secret, timestamp=int(started_at.timestamp()))
        shown = _head(f"POST {claim.address}", headers | ({"Authorization": _MASK} if auth_header else {}))
        sent = headers | ({"Authorization": auth_header.reveal()} if auth_header else {})
        client = self._trusting if claim.skip_cert_verify else self._verifying
        fault: Fault | None = Fault.TARGET
        answer = ""
        try:
            with client.send("POST", claim.address, headers=sent, body=body) as response:
                fault, message = _judge(response.status)
                answer = _masked(_answer(response, self._clock), auth_header, secret)
        except OutboundRefused as error:
            message = error.sentence
        except (HTTPError, OSError) as error:
            message = _reason(error)
            fault = _fault(error)
        return Outcome(
            fault=fault,
            message=message,
            request=shown,
            response=answer,
            started_at=started_at,
            finished_at=self._clock(),
        )

    def _open(self, sealed: str | None) -> Secret | None:
        return None if sealed is None else self._sealer.open(sealed)


def _headers(claim: Claim, body: bytes, secret: Secret | None, *, timestamp: int) -> dict[str, str]:
    headers = {
        "Content-Type": claim.content_type,
        "User-Agent": "breakwater-webhook",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        DELIVERY_HEADER: str(claim.uid),
        EVENT_HEADER: claim.event_type,
    }
    if secret is not None:
        headers[SIGNATURE_HEADER] = signature(secret, timestamp=timestamp, uid=claim.uid, body=body)
    return headers


def _judge(status: int) -> tuple[Fault | None, str]:
    """Whose fault a status is, and a sentence for it."""
    if status in _SUCCESS:
        return None, f"the target answered {status}"
    if status in _REDIRECT:
        return Fault.DELIVERY, f"the target answered {status}: redirects are not followed"
    fault = Fault.TARGET if status >= _LOWEST_OF_SERVER or status in _UNABLE else Fault.DELIVERY
    return fault, f"the target answered {status}"


def _answer(response: BaseHTTPResponse, clock: Callable[[], datetime]) -> str:
    """The answer's head and body, each cut to its limit; a body that breaks off is shown as far as it came."""
    head = _head(f"{response.status} {response.reason or ''}".strip(), dict(response.headers))[:MOST_KEPT]
    body, until = b"", clock() + BODY_SECONDS
    with suppress(HTTPError, OSError):
        while len(body) < MOST_KEPT and clock() < until and (piece := response.read1(MOST_KEPT - len(body))):
            body += piece
    return f"{head}\n\n{_printable(body.decode(errors='replace'))}"


def _head(first: str, headers: Mapping[str, str]) -> str:
    return _printable("\n".join([first, *(f"{name}: {value}" for name, value in headers.items())]))


def _printable(text: str) -> str:
    """What a text column and a reader's terminal can hold."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _masked(text: str, *secrets: Secret | None) -> str:
    """The text without the secrets that were sent: some targets answer with what they were asked."""
    for secret in filter(None, secrets):
        whole = secret.reveal()
        for shown in (whole, whole.partition(" ")[2].strip()):
            if shown:
                text = text.replace(shown, _MASK)
    return text


def _fault(error: Exception) -> Fault:
    # to urllib3 a connection that is refused is one of those that take too long
    waited = isinstance(error, ConnectTimeoutError | ReadTimeoutError) and not isinstance(error, NewConnectionError)
    return Fault.SILENT if waited else Fault.TARGET


def _reason(error: Exception) -> str:
    """What kept a delivery from arriving, in words that tell nothing of the network behind us."""
    if isinstance(error, SSLError):
        return f"the target's certificate cannot be trusted: {str(error)[:200]}"
    known = (sentence for kind, sentence in _REASONS if isinstance(error, kind))
    return next(known, f"the target cannot be reached: {type(error).__name__}")
