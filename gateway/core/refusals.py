"""Errors become answers here and nowhere else; what is a fault of ours is logged whole and told in three words."""

from collections.abc import Callable
from typing import Final

import falcon
import psycopg
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.core.request import ApiRequest, ApiResponse
from gateway.errors import STATUS, harbor_body, registry_body, status_of
from shared import logging
from shared.auth.errors import TooManyGuesses
from shared.db import unavailable_when_down
from shared.errors import BadRequest, BreakwaterError, QueryGivenUp, TooManyRequests, Unavailable

RETRY_AFTER: Final = "1"
_FALCON_CODES: Final = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "REQUEST_ENTITY_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}
_FALCON_SENTENCES: Final = {
    "NOT_FOUND": "the requested resource does not exist",
    "METHOD_NOT_ALLOWED": "this method is not allowed here",
}


def refuse(req: ApiRequest, resp: ApiResponse, error: BreakwaterError, _params: dict[str, str]) -> None:
    """What we refuse in so many words."""
    if status_of(error.code) == STATUS["UNKNOWN"]:
        logging.get().error("failed", path=req.path, exc_info=error)
    if isinstance(error, (Unavailable, TooManyRequests)):
        resp.set_header("Retry-After", str(error.retry_after) if isinstance(error, TooManyGuesses) else RETRY_AFTER)
    _write(req, resp, error.code, error.sentence)


def refuse_http(req: ApiRequest, resp: ApiResponse, error: falcon.HTTPError, _params: dict[str, str]) -> None:
    """What Falcon refuses: no such route, no such method, a malformed request line."""
    code = _FALCON_CODES.get(error.status_code, "BAD_REQUEST" if error.status_code < STATUS["UNKNOWN"] else "UNKNOWN")
    resp.set_headers(error.headers or {})
    _write(req, resp, code, _FALCON_SENTENCES.get(code) or error.title or code)


def refuse_database(
    req: ApiRequest, resp: ApiResponse, error: DBAPIError | PoolTimeout | psycopg.Error, params: dict[str, str]
) -> None:
    """A database that is away or too slow is told as such; a value it cannot take is the client's; the rest is ours."""
    try:
        with unavailable_when_down():
            raise error
    except QueryGivenUp as given_up:
        logging.get().warning("query given up", path=req.path, reason=type(error).__name__)
        refuse(req, resp, given_up, params)
    except Unavailable as unavailable:
        logging.get().warning("database away", path=req.path, reason=type(error).__name__)
        refuse(req, resp, unavailable, params)
    except (DataError, psycopg.DataError):
        refuse(req, resp, BadRequest("a value is out of range"), params)
    except (DBAPIError, psycopg.Error) as other:
        fail(req, resp, other, params)


def fail(req: ApiRequest, resp: ApiResponse, error: Exception, _params: dict[str, str]) -> None:
    """A fault of ours."""
    logging.get().error("failed", path=req.path, exc_info=error)
    _write(req, resp, BreakwaterError.code, BreakwaterError.default)


def _write(req: ApiRequest, resp: ApiResponse, code: str, sentence: str) -> None:
    show = getattr(req.context, "page", None)
    if show is not None:
        show(req, resp, sentence, status_of(code))
        return
    body = registry_body if req.path.startswith("/v2") else harbor_body
    resp.status = falcon.code_to_http_status(status_of(code))
    resp.content_type = "application/json; charset=utf-8"
    resp.data = body(code, sentence)
    resp.media = resp.text = resp.stream = None
    for promised in ("Location", "Link", "X-Total-Count"):
        resp.delete_header(promised)


HANDLERS: Final[dict[type[Exception], Callable[..., None]]] = {
    Exception: fail,
    falcon.HTTPError: refuse_http,
    BreakwaterError: refuse,
    DBAPIError: refuse_database,
    PoolTimeout: refuse_database,
    psycopg.Error: refuse_database,  # of queries on the plain connection under a session
}
"""Which error is answered how."""
