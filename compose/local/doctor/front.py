"""Faults on the way of a client: where BREAKWATER_URL leads, where the challenge sends, whether tokens are good."""

import json
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import jwt

from compose.local.doctor.certificates import read_bundle
from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from shared.auth.bearer import key_id
from shared.settings import CLOCK_LEEWAY, TOKEN_ISSUER, TOKEN_SERVICE

_SECONDS: Final = 3.0
_LONG_SECONDS: Final = 6.0
"""The proxy itself waits three to reach a part, and then says so."""
_MOST: Final = 64 * 1024
_REALM: Final = re.compile(r'\ABearer realm="([^"]*)",service="([^"]*)"')
_PUBLIC: Final = "repository:library/doctor:pull"
"""A scope that anybody may ask for, so that no account is needed; nothing is granted on it where nothing is public."""
_PROXY: Final = "./breakwater logs --part proxy tells more"
_STATUS: Final = "./breakwater status shows which part is not well"
_CLOCK: Final = "set this machine's clock: timedatectl tells whether NTP does"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server has said."""

    status: int
    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes


def ask(
    url: str, path: str, *, host: str | None = None, token: str | None = None, seconds: float = _SECONDS
) -> Answer:
    """GET, with a Host header of one's own where one is given. Raises OSError, HTTPException.

    Certificates are not verified: what is sent opens nothing, and whether clients take one is another check's question.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, seconds)
    headers = {"Host": host or parts.netloc} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=told, body=answer.read(_MOST))
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None, seconds: float) -> HTTPConnection:
    if scheme != "https":
        return HTTPConnection(host, port, timeout=seconds)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=seconds, context=context)


def url(patient: Patient) -> Iterator[Finding]:
    """Whether BREAKWATER_URL leads here: what answers there has to sign with a key of this instance."""
    if patient.options.url is None:
        return
    there = patient.options.public_url
    look = "look at BREAKWATER_URL, at its name in DNS, and at what stands between it and this proxy"
    try:
        socket.getaddrinfo(urlsplit(there).hostname, None)
    except OSError:
        yield broken(f"the host of BREAKWATER_URL, {there}, is in no DNS that this machine asks", look)
        return
    try:
        token = _token(ask(there, _token_path()))
    except (OSError, HTTPException):
        yield broken(f"nothing answers at BREAKWATER_URL, {there}", look)
        return
    if token is None or signer(token) not in _known(patient):
        yield broken(f"BREAKWATER_URL, {there}, does not lead to this instance: another server answers there", look)


def realm(patient: Patient) -> Iterator[Finding]:
    """Whether the registry's challenge sends clients to where they come from."""
    public = patient.options.public_url
    answer = ask(patient.options.local_url, "/v2/", host=urlsplit(public).netloc)
    yield from judge_challenge(answer.status, answer.headers.get("www-authenticate", ""), public)


def judge_challenge(status: int, challenge: str, public: str) -> Iterator[Finding]:
    """What a client without a token is told, who came by the public address."""
    match = _REALM.match(challenge)
    if status != HTTPStatus.UNAUTHORIZED or match is None:
        yield broken(f"/v2/ answers {status} and tells no client where tokens are", _PROXY)
        return
    if match[1] != f"{public}/auth/token":
        yield broken(
            f"wrong realm: /v2/ sends clients to {match[1]} for tokens, not to {public}/auth/token",
            "set BREAKWATER_URL to the address that clients use, then ./breakwater up",
        )
    if match[2] != TOKEN_SERVICE:
        yield broken(f"/v2/ asks for tokens of the service {match[2]}, not {TOKEN_SERVICE}", "./breakwater up")


def tokens(patient: Patient) -> Iterator[Finding]:
    """Whether a token can be had, is of this time, and is good at the registry."""
    local, host = patient.options.local_url, urlsplit(patient.options.public_url).netloc
    before = datetime.now(UTC)
    answer = ask(local, _token_path(), host=host)
    token = _token(answer)
    if token is None:
        what = f"no token can be had: /auth/token answers {answer.status}"
        yield broken(what, "./breakwater logs --part token tells why")
        return
    claims = jwt.decode(token, options={"verify_signature": False})
    yield from judge_claims(claims, before=before, after=datetime.now(UTC))
    taken = ask(local, "/v2/", host=host, token=token)
    if taken.status == HTTPStatus.UNAUTHORIZED:
        known = signer(token) in {key_id(each) for each in read_bundle(_bundle(patient))}
        yield broken(
            "the registry does not trust the tokens of this instance"
            + ("" if known else ": its bundle does not hold their issuer"),
            "./breakwater down, then ./breakwater up: the registry reads its bundle at its start",
        )
    elif taken.status != HTTPStatus.OK:
        yield broken(f"/v2/ answers {taken.status} to a good token", "./breakwater logs --part registry tells why")


def judge_claims(claims: Mapping[str, object], *, before: datetime, after: datetime) -> Iterator[Finding]:
    """What a token says that was issued between two looks at the clock."""
    if claims.get("iss") != TOKEN_ISSUER:
        yield broken(f"tokens are issued by {claims.get('iss')}, which the registry does not trust", "./breakwater up")
    issued = claims.get("iat")
    if not isinstance(issued, int | float):
        yield broken("tokens do not tell when they were issued", "./breakwater up")
        return
    at = datetime.fromtimestamp(issued, UTC)
    skew = max((before - at).total_seconds(), (at - after).total_seconds()) - 1  # it tells whole seconds
    if skew > CLOCK_LEEWAY.total_seconds():
        yield broken(f"tokens are issued {skew:.0f} s off this machine's time: they are refused", _CLOCK)
    elif skew > 2:  # noqa: PLR2004 - a busy machine takes that long
        yield warning(f"tokens are issued {skew:.0f} s off this machine's time", _CLOCK)


def signer(token: str) -> str | None:
    """The id of the key that a token says it is signed with; None where it is no token."""
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError:
        return None
    return found if isinstance(found, str) else None


def _known(patient: Patient) -> set[str]:
    return {key_id(each) for each in read_bundle(_bundle(patient))}


def _bundle(patient: Patient) -> Path:
    return patient.layout.secrets / "registry" / "bundle.pem"


def _token_path() -> str:
    return f"/auth/token?{urlencode({'service': TOKEN_SERVICE, 'scope': _PUBLIC})}"


def _token(answer: Answer) -> str | None:
    try:
        token = json.loads(answer.body)["token"]
    except (ValueError, KeyError, TypeError):
        return None
    return token if isinstance(token, str) else None


def proxy(patient: Patient) -> Iterator[Finding]:
    """Whether anything answers at the proxy's own address."""
    host = urlsplit(patient.options.public_url).netloc
    try:
        ask(patient.options.local_url, "/.answers", host=host)
    except (OSError, HTTPException):
        yield broken(f"the proxy does not answer at {patient.options.local_url}", _PROXY)
        return
    try:
        answer = ask(patient.options.local_url, "/healthz", host=host, seconds=_LONG_SECONDS)
    except (OSError, HTTPException):
        yield broken("/healthz is not answered: the proxy waits for the API or its database", _STATUS)
        return
    if answer.status != HTTPStatus.OK:
        yield broken(f"/healthz answers {answer.status}", _STATUS)


CHECKS: Final[Iterable[Check]] = (
    Check(name="proxy", looks_for="a proxy that does not answer", remedy="`./breakwater logs --part proxy`", ask=proxy),
    Check(
        name="url",
        looks_for="a BREAKWATER_URL whose name is in no DNS, where nothing answers, or that leads to another server",
        remedy="correct BREAKWATER_URL, its name, or what stands between it and the proxy",
        ask=url,
    ),
    Check(
        name="realm",
        looks_for="a challenge of /v2/ that sends clients to another host than BREAKWATER_URL for their tokens",
        remedy="set BREAKWATER_URL to the address that clients use, then `./breakwater up`",
        ask=realm,
    ),
    Check(
        name="tokens",
        looks_for="tokens that cannot be had, are of another time, or are not trusted by the registry",
        remedy="`./breakwater logs --part token`; set the clock; restart the registry with `down` and `up`",
        ask=tokens,
    ),
)
