"""Refusals of the token endpoint in the registry's shape."""

from typing import Any, Final

import falcon
from falcon.asgi import App, Request, Response

from gateway.errors import CHALLENGE, registry_body, status_of
from gateway.token.outcomes import refused
from shared import logging
from shared.auth.errors import TooManyGuesses
from shared.errors import BreakwaterError, Unauthorized, Unavailable

_FALCON_CODES: Final = {404: ("NOT_FOUND", "there is nothing here"), 405: ("METHOD_NOT_ALLOWED", "use GET or POST")}


def answer_errors(app: App[Request, Response]) -> None:
    """Let the app answer every error in the registry's shape."""
    app.add_error_handler(Exception, _fault)
    app.add_error_handler(falcon.HTTPError, _http_error)
    app.add_error_handler(BreakwaterError, _refusal)


async def _refusal(req: Request, resp: Response, error: BreakwaterError, _params: dict[str, Any]) -> None:
    refused(req, error.code)
    status = status_of(error.code)
    if status >= status_of("UNKNOWN"):
        logging.get().error("token.failed", code=error.code, reason=error.sentence, request_id=_request_id(req))
    _write(resp, status, registry_body(error.code, error.sentence))
    if isinstance(error, Unauthorized):
        resp.set_header("WWW-Authenticate", CHALLENGE)
    elif isinstance(error, TooManyGuesses):
        resp.set_header("Retry-After", str(error.retry_after))
    elif isinstance(error, Unavailable):
        resp.set_header("Retry-After", "1")


async def _http_error(req: Request, resp: Response, error: falcon.HTTPError, _params: dict[str, Any]) -> None:
    code, sentence = _FALCON_CODES.get(error.status_code, ("BAD_REQUEST", error.title or "the request is malformed"))
    refused(req, code)
    _write(resp, error.status_code, registry_body(code, sentence))
    if error.headers:
        resp.set_headers(error.headers)


async def _fault(req: Request, resp: Response, error: Exception, _params: dict[str, Any]) -> None:
    logging.get().error("token.fault", exc_info=error, request_id=_request_id(req))
    _write(resp, 500, registry_body("UNKNOWN", ""))


def _write(resp: Response, status: int, body: bytes) -> None:
    resp.status = status
    resp.data = body
    resp.content_type = "application/json"
    resp.set_header("Cache-Control", "no-store")


def _request_id(req: Request) -> str | None:
    request_id: str | None = req.get_header("X-Request-Id")
    return request_id
