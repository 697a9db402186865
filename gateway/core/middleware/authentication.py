"""Who calls: Basic credentials, judged in this process by the chain that the token mount uses.

Wrong credentials make a caller anonymous, as Harbor has it: what is public answers, everything else is 401.
What tells how the system is asks nobody who he is: it has to answer when accounts cannot be looked up.
"""

from base64 import b64decode
from binascii import Error
from typing import Final, Protocol

import structlog

from gateway.core.request import API, ApiRequest, ApiResponse
from shared.auth.authenticate import Credential
from shared.auth.principals import Principal
from shared.secrets import Secret

_SAME_FOR_EVERYBODY: Final = frozenset({f"{API}/ping", f"{API}/health", "/api/version"})


class SignIn(Protocol):
    """Judges credentials against every source of accounts."""

    def __call__(self, req: ApiRequest, credential: Credential) -> Principal:
        """The caller; anonymous where the credential is wrong. Raises Unavailable, TooManyRequests."""


class Authentication:
    """Puts the caller on every request of the API."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Raises what signing in raises."""
        req.caller = Principal.anonymous()
        signs_in = req.is_api and req.path not in _SAME_FOR_EVERYBODY
        credential = basic_credential(req.auth or "") if signs_in else None
        if credential is not None:
            req.caller = self._sign_in(req, credential)
            structlog.contextvars.bind_contextvars(actor=req.caller.name)


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
