"""Names and passwords that are sent on /v2 itself, exchanged for a token that is good for that one request.

The proxy asks before it passes such a request on. It can take 401 alone for a refusal and drops its body, so status and
body of a refusal travel in headers.
"""

import json
import re
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from falcon.asgi import Request, Response

from gateway.errors import CHALLENGE, REGISTRY_CODES, status_of
from gateway.token.desk import Desk, utc_now
from gateway.token.outcomes import Grant, refused, shown
from gateway.token.request import client_of, read_basic
from services.token.domain import Scope
from services.token.errors import NotAllowed, WrongCredentials
from shared import logging
from shared.auth.errors import TooManyGuesses
from shared.errors import BreakwaterError, Unauthorized

_PATH: Final = re.compile(
    r"/v2/(?P<name>.+)/(?:manifests/[^/]+|tags/list|referrers/[^/]+|blobs/uploads/[^/]*|blobs/[^/]+)"
)
_ACTIONS: Final = {
    "POST": ("pull", "push"),
    "PUT": ("pull", "push"),
    "PATCH": ("pull", "push"),
    "DELETE": ("delete",),
}
_MOST_MESSAGE: Final = 1_000


class BasicResource:
    """Tokens for the proxy to send on in place of a password; only the proxy comes here."""

    hands_out_tokens = True

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_get(self, req: Request, resp: Response) -> None:
        """Mint a token for the request that the proxy describes."""
        resp.set_header("Cache-Control", "no-store")
        shown(req, Grant.REQUEST)
        try:
            credential = read_basic(req.auth)
            if credential is None:
                raise WrongCredentials
            scopes = needed(req.get_header("X-Original-Method") or "", req.get_header("X-Original-URI") or "")
            issued = await self._desk.for_request(scopes, credential, partial(client_of, req), utc_now())
        except BreakwaterError as error:
            _refuse(req, resp, error)
        else:
            resp.set_header("X-Minted", issued.token)


def needed(method: str, address: str) -> tuple[Scope, ...]:
    """What the registry will ask of a token for this request, by path and query; nothing for /v2/ itself.

    A mount needs its source to be readable too: the first one named, as the registry reads it.
    """
    path, _, query = address.partition("?")
    named = _PATH.fullmatch(path)
    if named is None:
        return ()
    wanted = {named["name"]: _ACTIONS.get(method, ("pull",))}
    for source in parse_qs(query).get("from", ())[:1]:
        wanted.setdefault(source, ("pull",))
    return tuple(Scope(type="repository", name=name, actions=actions) for name, actions in wanted.items())


def _refuse(req: Request, resp: Response, error: BreakwaterError) -> None:
    # the code that clients get for it is that of a wrong password too
    refused(req, "denied" if isinstance(error, NotAllowed) else error.code)
    status = status_of(error.code)
    if status >= status_of("UNKNOWN"):
        logging.get().error(
            "basic.failed", code=error.code, reason=error.sentence, request_id=req.get_header("X-Request-Id")
        )
    resp.status = 401
    resp.set_header("X-Refusal", str(status))
    code = REGISTRY_CODES.get(error.code, error.code)
    body = json.dumps({"errors": [{"code": code, "message": error.sentence[:_MOST_MESSAGE]}]})
    resp.set_header("X-Refusal-Body", body)
    if isinstance(error, Unauthorized):
        resp.set_header("WWW-Authenticate", CHALLENGE)
    elif isinstance(error, TooManyGuesses):
        resp.set_header("X-Refusal-After", str(error.retry_after))
