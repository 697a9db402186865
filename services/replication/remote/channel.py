"""Requests to one registry, with what proves who is asking; a token that is not taken is fetched anew, once."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from urllib3.response import BaseHTTPResponse

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.answers import LIMIT, USER_AGENT, Answer, read
from services.replication.remote.auth import Auth
from services.replication.remote.faults import refusal
from services.replication.remote.transport import READ_SECONDS, Body, Wire

MOST_HOPS: Final = 3
"""From a blob's address to the storage that holds it."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SCHEMES: Final = frozenset({("http", "http"), ("http", "https"), ("https", "https")})


class TokenEnded(AttemptFailed):
    """A token was not taken any more for what cannot be sent again by itself: the next request brings a new one."""


class Channel:
    """One registry, as one account; safe to share between threads."""

    def __init__(self, url: str, wire: Wire, auth: Auth) -> None:
        self.url = url.rstrip("/")
        self.wire = wire
        self._auth = auth

    def ask(
        self,
        method: str,
        target: str,
        scope: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        limit: int = LIMIT,
        patience: float = READ_SECONDS,
    ) -> Answer:
        """One request, and its answer whole. `target` is a path, or a URL that `here` has made.

        Raises AttemptFailed; TokenEnded where a body that can be read but once was sent with a token that had ended.
        """
        url = target if "://" in target else f"{self.url}{target}"
        response = self._authorized(method, url, scope, headers or {}, body, patience)
        # an error's body is only quoted in part
        return read(response, url, limit if response.status < HTTPStatus.BAD_REQUEST else max(limit, LIMIT))

    def stream(self, path: str, scope: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        """A GET whose answer's body is still to be read; redirects are followed, as clouds lead to their storage.

        What proves who we are is not shown to another host. Raises AttemptFailed.
        """
        url = f"{self.url}{path}"
        response = self._authorized("GET", url, scope, headers, None, READ_SECONDS)
        for _hop in range(MOST_HOPS):
            if response.status not in _REDIRECTS:
                return response
            following = urljoin(url, response.headers.get("Location", ""))
            response.close()
            if (urlsplit(url).scheme, urlsplit(following).scheme) not in _SCHEMES:
                raise AttemptFailed(Fault.REFUSED, "the registry leads to storage without TLS: that is not followed")
            own = origin(following) == origin(self.url)
            url = following
            sent = {"User-Agent": USER_AGENT, **headers}
            response = (
                self._authorized("GET", url, scope, headers, None, READ_SECONDS)
                if own
                else self.wire.send("GET", url, sent)
            )
        if response.status in _REDIRECTS:
            response.close()
            raise AttemptFailed(Fault.REFUSED, f"the registry leads on and on: more than {MOST_HOPS} redirects")
        return response

    def here(self, location: str, answer: Answer) -> str:
        """A Location or Link of an answer as a URL of this registry: of another host's only the path is taken.

        Registries behind a proxy name themselves as they are called inside. Raises AttemptFailed.
        """
        parsed = urlsplit(urljoin(answer.url, location))
        if not location or not parsed.path.startswith("/"):
            raise AttemptFailed(Fault.SERVER_ERROR, "the registry does not say where to go on")
        own = urlsplit(self.url)
        return f"{own.scheme}://{own.netloc}{parsed.path}{f'?{parsed.query}' if parsed.query else ''}"

    def following(self, answer: Answer) -> str | None:
        """The next page of a list: the target of `Link: <…>; rel="next"`. Raises AttemptFailed."""
        for link in answer.headers.get("Link", "").split(","):
            target, _, parameters = link.partition(";")
            if target.strip().startswith("<") and "next" in parameters.replace('"', ""):
                found = self.here(target.strip().removeprefix("<").removesuffix(">"), answer)
                if found == answer.url:
                    raise AttemptFailed(Fault.SERVER_ERROR, "a page of a list leads to itself")
                return found
        return None

    def refused(self, what: str, answer: Answer, *, push: bool = False) -> AttemptFailed:
        """For an answer that is not the one that was asked for."""
        failed = refusal(what, answer.status, answer.headers, answer.body, push=push)
        return AttemptFailed(failed.fault, self._auth.masked(failed.sentence), after=failed.after)

    def masked(self, text: str) -> str:
        """A text without the secrets."""
        return self._auth.masked(text)

    def _authorized(
        self, method: str, url: str, scope: str, headers: Mapping[str, str], body: Body, patience: float
    ) -> BaseHTTPResponse:
        for again in (True, False):
            used = self._auth.authorization(scope)
            sent = {"User-Agent": USER_AGENT, **headers, **({"Authorization": used} if used else {})}
            response = self.wire.send(method, url, sent, body, patience=patience)
            if response.status != HTTPStatus.UNAUTHORIZED or not again:
                break
            if not self._auth.challenged(scope, used, response.headers):
                break
            # its body is short, and the connection can be kept
            read(response, url)
            if not isinstance(body, bytes | None):
                raise TokenEnded(Fault.DENIED, "the token ended while content was sent")
        return response


def origin(url: str) -> tuple[str, str, int | None]:
    """Who is spoken to at a URL."""
    parsed = urlsplit(url)
    return parsed.scheme, parsed.hostname or "", parsed.port or {"http": 80, "https": 443}.get(parsed.scheme)
