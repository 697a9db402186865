"""The token endpoint's resources: read, hand out, write.

Specifications: distribution's token authentication (GET) and its OAuth2 form (POST).
"""

import json
from functools import partial
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

import msgspec
from falcon.asgi import Request, Response

from gateway.token.desk import Desk, HandedOut, utc_now
from gateway.token.outcomes import Grant, shown
from gateway.token.request import MOST_BODY, client_of, read_basic, read_form, read_query
from services.token.domain import parse_scopes
from services.token.errors import WrongCredentials
from shared.auth.authenticate import Credential
from shared.errors import BadRequest, ConfigurationError

_JSON: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode


class TokenResource:
    """Registry tokens for clients."""

    hands_out_tokens = True

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_get(self, req: Request, resp: Response) -> None:
        """Hand out a token for a Basic credential, or for nobody in particular."""
        now = utc_now()
        asked = read_query(req.query_string)
        credential = read_basic(req.auth)
        shown(req, Grant.NOTHING if credential is None else Grant.PASSWORD)
        if credential is None:
            handed = self._desk.for_anybody(asked, now)
        else:
            handed = await self._desk.for_password(asked, credential, partial(client_of, req), now)
        _write(resp, _answer(handed))

    async def on_post(self, req: Request, resp: Response) -> None:
        """Hand out a token for a password or a refresh token in a form."""
        now = utc_now()
        form = read_form(await _body(req), req.content_type)
        shown(req, Grant.PASSWORD if isinstance(form.proof, Credential) else Grant.REFRESH_TOKEN)
        if isinstance(form.proof, Credential):
            handed = await self._desk.for_password(form.asked, form.proof, partial(client_of, req), now)
        else:
            handed = await self._desk.for_refresh_token(form.asked, form.proof, partial(client_of, req), now)
        _write(resp, _answer(handed) | {"scope": " ".join(entry.scope for entry in handed.issued.access)})


class SystemTokenResource:
    """Registry tokens for the system's own services; the proxy does not lead here."""

    hands_out_tokens = True

    def __init__(self, desk: Desk, credentials: Path) -> None:
        self._desk = desk
        self._credentials = credentials

    async def on_post(self, req: Request, resp: Response) -> None:
        """Hand out a token to a service that knows its credential."""
        shown(req, Grant.SYSTEM)
        body = _parse(await _body(req))
        service, listed = body.get("service"), body.get("scope")
        if not isinstance(service, str) or not isinstance(listed, list) or not all(isinstance(s, str) for s in listed):
            raise BadRequest("the body needs 'service' and a list 'scope'")
        self._check(service, req.auth or "")
        scopes = parse_scopes(listed)
        if not scopes:
            raise BadRequest("a system token is for at least one scope")
        _write(resp, _answer(self._desk.for_system(service, scopes, utc_now())))

    def _check(self, service: str, header: str) -> None:
        """Raises WrongCredentials. The file is read each time, so that a credential can be changed at any time."""
        scheme, _, given = header.partition(" ")
        digest = sha256(given.strip().encode(errors="surrogatepass")).hexdigest()
        expected = _read_credentials(self._credentials).get(service)
        fits = compare_digest(digest, expected if isinstance(expected, str) else "")
        if scheme.lower() != "bearer" or not fits:
            raise WrongCredentials


class LiveResource:
    """Whether this process turns, whatever else is away."""

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Answer without asking anything."""
        _write(resp, {"status": "alive"})


class ReadyResource:
    """Whether tokens can be handed out at this moment."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Answer 200, or within two seconds 503 where the database is away or stands still."""
        self._desk.issuer.signer.get()
        self._desk.hot.ask(lambda source: source.execute("SELECT 1"))
        _write(resp, {"status": "healthy"})


def _answer(handed: HandedOut) -> dict[str, object]:
    issued = handed.issued
    answer: dict[str, object] = {
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": int(issued.lifetime.total_seconds()),
        "issued_at": issued.issued_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    if handed.refresh_token is not None:
        answer["refresh_token"] = handed.refresh_token.reveal()
    return answer


def _write(resp: Response, answer: dict[str, object]) -> None:
    resp.data = _encode(answer)
    resp.content_type = _JSON
    resp.set_header("Cache-Control", "no-store")


async def _body(req: Request) -> bytes:
    """The request's body. Raises BadRequest where it is longer than any client's."""
    if (req.content_length or 0) > MOST_BODY:
        raise BadRequest(f"the body is longer than {MOST_BODY} bytes")
    body: bytes = await req.stream.read(MOST_BODY + 1)
    if len(body) > MOST_BODY:
        raise BadRequest(f"the body is longer than {MOST_BODY} bytes")
    return body


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(parsed, dict):
        raise BadRequest("the body is not a JSON object")
    return parsed


def _read_credentials(path: Path) -> dict[str, Any]:
    try:
        return _parse(path.read_bytes())
    except (OSError, BadRequest) as error:
        raise ConfigurationError(f"the credentials of the system's services in {path} cannot be read") from error
