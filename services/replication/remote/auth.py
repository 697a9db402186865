"""Who we are at another registry: the challenges Basic and Bearer, and tokens that are kept until near their end.

Specification: distribution's token authentication. A credential goes to the registry's own host, and to hosts that
the adapter names; to whom a challenge sends us besides them, it is not shown.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import inf
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.answers import USER_AGENT, basic, read
from services.replication.remote.faults import printable, refusal
from services.replication.remote.once import Clock, Once
from services.replication.remote.transport import Wire
from shared.secrets import Secret

_MARGIN_SECONDS: Final = 30.0
_LIFETIME_SECONDS: Final = 60.0
"""Of a token that does not tell it."""
_KEPT: Final = 1_000
_SCHEME: Final = re.compile(r"(?:^|[\s,])(basic|bearer)(?=\s|,|$)", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """What a registry asks for."""

    bearer: bool
    realm: str = ""
    service: str = ""
    scope: str = ""


class Auth(Protocol):
    """What proves to a registry who is asking."""

    def authorization(self, scope: str) -> str | None:
        """The header for a request of this scope, None where nothing is asked for. Raises AttemptFailed."""

    def challenged(self, scope: str, used: str | None, headers: Mapping[str, str]) -> bool:
        """Told of a 401: whether the same request with a new header may do. Raises AttemptFailed."""

    def masked(self, text: str) -> str:
        """A text without the secrets."""


class Login:
    """A name with a password or token at one registry, or nobody; safe to share between threads."""

    def __init__(
        self,
        wire: Wire,
        url: str,
        name: str,
        secret: Secret | None,
        *,
        token_hosts: frozenset[str] = frozenset(),
        clock: Clock = time.monotonic,
    ) -> None:
        self._wire = wire
        self._url = url.rstrip("/")
        self._hosts = token_hosts | {urlsplit(self._url).hostname or ""}
        self._secret = secret
        self._basic = basic(name, secret) if secret is not None else None
        self._clock = clock
        self._challenge: Once[Challenge | None] = Once(clock=clock)
        self._tokens: dict[str, Once[Secret]] = {}
        self._wanted: dict[str, str] = {}
        self._lock = threading.Lock()

    def authorization(self, scope: str) -> str | None:
        """As `Auth` says."""
        challenge = self._challenge.get(self._ask)
        if challenge is None:
            return None
        if not challenge.bearer:
            return self._basic.reveal() if self._basic else None
        wanted = self._wanted.get(scope, scope)
        token = self._slot(wanted).get(lambda: self._fetch(challenge, wanted))
        return f"Bearer {token.reveal()}"

    def challenged(self, scope: str, used: str | None, headers: Mapping[str, str]) -> bool:
        """As `Auth` says: a token is fetched anew, also for what the registry says that it wants."""
        challenge = parse(headers.get("WWW-Authenticate", ""))
        if challenge is None:
            return False
        self._challenge.put(challenge, inf)
        if not challenge.bearer:
            return self._basic is not None and used != self._basic.reveal()
        wanted = self._wanted.get(scope, scope)
        if used is not None and used.startswith("Bearer "):
            self._slot(wanted).forget(Secret(used.removeprefix("Bearer ")))
        more = " ".join(dict.fromkeys((*scope.split(), *challenge.scope.split())))
        if scope and more != wanted:
            with self._lock:
                if len(self._wanted) >= _KEPT:
                    self._wanted.clear()
                self._wanted[scope] = more
        return True

    def masked(self, text: str) -> str:
        """As `Auth` says."""
        shown = [self._secret.reveal(), self._basic.reveal().partition(" ")[2]] if self._secret and self._basic else []
        for secret in filter(None, shown):
            text = text.replace(secret, "***")
        return text

    def _ask(self) -> tuple[Challenge | None, float]:
        """What the registry wants of whoever comes."""
        url = f"{self._url}/v2/"
        answer = read(self._wire.send("GET", url, {"User-Agent": USER_AGENT}), url)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            challenge = parse(answer.headers.get("WWW-Authenticate", ""))
            if challenge is None:
                raise AttemptFailed(Fault.DENIED, "the registry asks for a credential in no form that is known here")
            return challenge, inf
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise refusal(f"GET {self._url}/v2/", answer.status, answer.headers, answer.body)
        return None, inf

    def _slot(self, scope: str) -> Once[Secret]:
        with self._lock:
            slot = self._tokens.get(scope)
            if slot is None:
                if len(self._tokens) >= _KEPT:
                    self._tokens = {each: kept for each, kept in self._tokens.items() if not kept.is_over}
                if len(self._tokens) >= _KEPT:
                    self._tokens.clear()
                slot = self._tokens[scope] = Once(clock=self._clock)
        return slot

    def _fetch(self, challenge: Challenge, scope: str) -> tuple[Secret, float]:
        url = self._realm(challenge)
        asked = [("service", challenge.service)] if challenge.service else []
        asked += [("scope", each) for each in scope.split()]
        full = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(asked)}" if asked else url
        headers = {"User-Agent": USER_AGENT}
        if self._basic is not None:
            headers["Authorization"] = self._basic.reveal()
        answer = read(self._wire.send("GET", full, headers), full)
        if answer.status != HTTPStatus.OK:
            failed = refusal("the request for a token", answer.status, answer.headers, answer.body)
            known = failed.fault in {Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.UNREACHABLE}
            fault = failed.fault if known else Fault.DENIED
            raise AttemptFailed(fault, self.masked(failed.sentence), after=failed.after)
        return _token(answer.body)

    def _realm(self, challenge: Challenge) -> str:
        """Where tokens are to be had. Raises AttemptFailed where our credential may not go there."""
        realm, own = urlsplit(challenge.realm), urlsplit(self._url)
        if realm.scheme not in {"http", "https"} or not realm.hostname or realm.username is not None:
            raise AttemptFailed(Fault.DENIED, "the registry names no address for tokens")
        if own.scheme == "https" and realm.scheme != "https":
            raise AttemptFailed(
                Fault.DENIED, f"the registry sends us for a token to {realm.hostname} without TLS: that is not done"
            )
        if self._basic is not None and realm.hostname not in self._hosts:
            raise AttemptFailed(
                Fault.DENIED,
                f"the registry sends us for a token to {printable(realm.hostname)}, another host: the credential is"
                " not shown there",
            )
        return challenge.realm


def parse(header: str) -> Challenge | None:
    """The challenge of a WWW-Authenticate header, Bearer before Basic where both are offered."""
    # a scheme's name within a quoted parameter is none
    blank = re.sub(r'"(?:[^"\\]|\\.)*"', lambda quoted: '"' + "_" * (len(quoted[0]) - 2) + '"', header)
    starts = [(found.group(1).lower(), found.end()) for found in _SCHEME.finditer(blank)]
    spans = {
        scheme: header[start : starts[number + 1][1] if number + 1 < len(starts) else len(header)]
        for number, (scheme, start) in reversed(list(enumerate(starts)))
    }
    if "bearer" in spans:
        found = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(spans["bearer"])}
        return Challenge(
            bearer=True, realm=found.get("realm", ""), service=found.get("service", ""), scope=found.get("scope", "")
        )
    return Challenge(bearer=False) if "basic" in spans else None


def _token(body: bytes) -> tuple[Secret, float]:
    try:
        content = json.loads(body)
        text = content.get("token") or content.get("access_token")
        told = content.get("expires_in")
        lifetime = float(told) if told else _LIFETIME_SECONDS
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise AttemptFailed(Fault.SERVER_ERROR, "the token endpoint answered no token") from error
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise AttemptFailed(Fault.SERVER_ERROR, "the token endpoint answered no token")
    return Secret(text), max(lifetime - _MARGIN_SECONDS, lifetime / 2)
