"""Who calls: Basic credentials, judged in this process by the chain that the token mount uses, or else a session.

Wrong credentials make a caller anonymous, as Harbor has it: what is public answers, everything else is 401.
What tells how the system is asks nobody who he is: it has to answer when accounts cannot be looked up.
"""

from base64 import b64decode
from binascii import Error
from hmac import compare_digest
from typing import Final, Protocol

import structlog

from gateway.core.inner import inner_of
from gateway.core.request import API, METRICS, ApiRequest, ApiResponse
from shared.auth import sessions
from shared.auth.authenticate import Credential
from shared.auth.principals import Principal
from shared.errors import Forbidden, Unavailable
from shared.secrets import Secret

CSRF_HEADER: Final = "X-Harbor-CSRF-Token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_RENEWAL: Final = "X-Harbor-No-Session-Renewal"
_SAME_FOR_EVERYBODY: Final = frozenset({f"{API}/ping", f"{API}/health", "/api/version"})


class SignIn(Protocol):
    """Judges credentials against every source of accounts."""

    def __call__(self, req: ApiRequest, credential: Credential) -> Principal:
        """The caller; anonymous where the credential is wrong. Raises Unavailable, TooManyRequests."""


class CrossSite(Forbidden):
    """A request that changes something does not prove that a page of ours sent it."""

    default = "CSRF token not found"


class Authentication:
    """Puts the caller on every request of the API, and for metrics.

    With a session goes a token that every change has to send back.
    """

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Raises what signing in raises, and CrossSite."""
        req.caller = Principal.anonymous()
        if not (req.is_api or req.path == METRICS) or req.path in _SAME_FOR_EVERYBODY:
            return
        inner = inner_of(req.env)
        credential = None if inner else basic_credential(req.auth or "")
        if inner is not None:
            req.caller = inner.caller
        elif credential is not None:
            self._judge(req, credential)
        elif req.auth is None and req.session_cookie is not None:
            _resume(req, req.session_cookie)
        if credential is not None or req.csrf_token is not None:
            structlog.contextvars.bind_contextvars(actor=req.caller.name)

    def process_response(self, req: ApiRequest, resp: ApiResponse, _resource: object, _succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Hand out what the session's next change has to send."""
        if req.csrf_token is not None:
            resp.set_header(CSRF_HEADER, req.csrf_token)

    def _judge(self, req: ApiRequest, credential: Credential) -> None:
        """Raises what signing in raises; a scrape goes on without an answer where the database is away."""
        try:
            req.caller = self._sign_in(req, credential)
        except Unavailable:
            if req.path != METRICS:
                raise
            req.is_unjudged = True


def _resume(req: ApiRequest, cookie: str) -> None:
    """Go on with a session; one that is over leaves the caller anonymous. Raises CrossSite."""
    renew = (req.get_header(_NO_RENEWAL) or "").lower() != "true"
    found = sessions.find(req.database, cookie, req.now, renew=renew)
    if found is None:
        return
    req.csrf_token = found.csrf_token
    if req.method not in SAFE:
        refuse_cross_site(req)
        sent = req.get_header(CSRF_HEADER)
        if sent is None:
            raise CrossSite
        if not compare_digest(sent.encode(), found.csrf_token.encode()):
            raise CrossSite("CSRF token invalid")
    req.caller = found.principal


def refuse_cross_site(req: ApiRequest) -> None:
    """Go on only where no page of another site sent the request. Raises CrossSite."""
    if req.is_from_elsewhere:
        raise CrossSite("the request comes from a page of another site")


def basic_credential(header: str) -> Credential | None:
    """Name and password of a Basic Authorization header (RFC 7617, UTF-8); None for anything else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (Error, ValueError):
        return None
    return Credential(name=name, password=Secret(password)) if colon else None
