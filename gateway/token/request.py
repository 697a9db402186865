"""What clients send to the token endpoint, read strictly and with limits on everything."""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import falcon.asgi
from falcon import uri

from services.token.domain import LONGEST_CLIENT_ID, Scope, parse_scopes
from services.token.errors import UnknownService, UnsupportedGrant, WrongCredentials
from shared.auth.authenticate import Client, Credential
from shared.errors import BadRequest
from shared.secrets import Secret
from shared.settings import TOKEN_SERVICE

MOST_TEXT: Final = 16 * 1024
"""Characters of all scopes together."""
MOST_BODY: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
# Scripts written for Harbor name its registry instead of echoing what the challenge says.
_SERVICES: Final = frozenset({TOKEN_SERVICE, "harbor-registry"})
_LONGEST_KEPT: Final = 512
"""Clients ask for the same again and again; what was read is kept where it is no longer than this."""

Parameters = Mapping[str, str | list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRequest:
    """What is asked for, by whom it is asked left aside."""

    scopes: tuple[Scope, ...]
    client_id: str
    offline: bool
    """Whether a refresh token is wanted too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A request of the OAuth2 form."""

    asked: TokenRequest
    proof: Credential | Secret
    """A name with a password, or a refresh token."""


def read_query(query: str) -> TokenRequest:
    """Read the GET form. Raises BadRequest."""
    return _read_again(query) if len(query) <= _LONGEST_KEPT else _read_query(query)


def _read_query(query: str) -> TokenRequest:
    parameters: Parameters = uri.parse_query_string(query, keep_blank=True)
    return _read(parameters, offline=_one(parameters, "offline_token") == "true")


_read_again: Final = lru_cache(1024)(_read_query)


def read_form(body: bytes, content_type: str | None) -> Form:
    """Read the POST form. Raises BadRequest."""
    if (content_type or "").partition(";")[0].strip().lower() != _FORM:
        raise BadRequest(f"the content type must be {_FORM}")
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadRequest("the form is not URL-encoded") from error
    parameters: Parameters = uri.parse_query_string(text, keep_blank=True)
    asked = _read(parameters, offline=_one(parameters, "access_type") == "offline")
    if not asked.client_id:
        raise BadRequest("the parameter 'client_id' is missing")
    match _one(parameters, "grant_type"):
        case "password":
            name, password = _one(parameters, "username"), Secret(_one(parameters, "password"))
            return Form(asked=asked, proof=Credential(name=name, password=password))
        case "refresh_token":
            return Form(asked=asked, proof=Secret(_one(parameters, "refresh_token")))
        case _:
            raise UnsupportedGrant


def read_basic(header: str | None) -> Credential | None:
    """The credential of an Authorization header, None where there is no header. Raises WrongCredentials.

    RFC 7617; a password that is not UTF-8 is taken for Latin-1, as older clients send it.
    """
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise WrongCredentials
    try:
        decoded = b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongCredentials from error
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    name, colon, password = text.partition(":")
    if not colon:
        raise WrongCredentials
    return Credential(name=name, password=Secret(password))


def client_of(req: falcon.asgi.Request) -> Client:
    """Where a request came from; only the proxy reaches this socket, and it writes these headers anew."""
    forwarded: str = req.get_header("X-Forwarded-For") or ""
    return Client(
        address=forwarded.rpartition(",")[2].strip(),
        user_agent=req.get_header("User-Agent"),
        request_id=req.get_header("X-Request-Id"),
        traceparent=req.get_header("traceparent"),
    )


def _read(parameters: Parameters, *, offline: bool) -> TokenRequest:
    if _one(parameters, "service") not in _SERVICES:
        raise UnknownService(f"the parameter 'service' must be {TOKEN_SERVICE!r}")
    return TokenRequest(
        scopes=parse_scopes(_bounded(_all(parameters, "scope"))),
        client_id=_one(parameters, "client_id")[:LONGEST_CLIENT_ID].replace("\0", ""),
        offline=offline,
    )


def _bounded(texts: Iterable[str]) -> list[str]:
    listed = list(texts)
    if sum(map(len, listed)) > MOST_TEXT:
        raise BadRequest(f"the scopes are longer than {MOST_TEXT} characters together")
    return listed


def _all(parameters: Parameters, name: str) -> list[str]:
    value = parameters.get(name, [])
    return value if isinstance(value, list) else [value]


def _one(parameters: Parameters, name: str) -> str:
    """A parameter that may be sent once, empty where it is not. Raises BadRequest."""
    value = parameters.get(name, "")
    if isinstance(value, list):
        raise BadRequest(f"the parameter {name!r} is sent more than once")
    return value
