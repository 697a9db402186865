"""The portal as a client of the REST API in its own process: every rule, right and record is kept in one place.

A call is a WSGI request to the same application, by the same thread, in the name of whoever the page is shown to. No
page can do or see what the API would refuse.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final
from urllib.parse import quote, urlencode

from gateway.core.inner import Inner
from gateway.core.request import API, ApiRequest
from gateway.portal.errors import Refused
from shared.errors import Unauthorized

_PASSED_ON: Final = (
    "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "wsgi.url_scheme", "wsgi.errors", "HTTP_HOST", "HTTP_USER_AGENT",
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_TRACEPARENT",
)  # fmt: skip
_GONE: Final = frozenset({403, 404})
_OF_A_PROJECT: Final = "/projects/"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One page of a list."""

    items: list[dict[str, Any]]
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the API answered to something that it did."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        """The path of what was made, empty where nothing was."""
        return self.headers.get("location", "")

    @property
    def number(self) -> int:
        """The number at the end of that path. Raises ValueError where there is none."""
        return int(self.location.rpartition("/")[2])

    @property
    def content(self) -> Any:  # noqa: ANN401 - any JSON
        """The body, decoded."""
        return json.loads(self.body) if self.body else None


class Api:
    """Calls below /api/v2.0 during one request of a page."""

    def __init__(self, application: Application, req: ApiRequest, lent: Inner) -> None:
        self._application = application
        self._req = req
        self._lent = lent

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """What the API shows at a path. Raises Refused, Unauthorized."""
        return self.send("GET", path, **query).content

    def maybe(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """As `get`; None where that is missing or closed to the caller."""
        try:
            return self.get(path, **query)
        except Unauthorized:
            return None
        except Refused as refused:
            if refused.status in _GONE:
                return None
            raise

    def listed(self, path: str, **query: object) -> Listed:
        """One page of a list, and how many items there are in all. Raises Refused, Unauthorized."""
        answer = self.send("GET", path, **query)
        items = answer.content or []
        return Listed(items=items, total=int(answer.headers.get("x-total-count", len(items))))

    def send(self, method: str, path: str, body: object = None, **query: object) -> Answer:
        """Any call; query values that are None or empty are left out. Raises Refused, Unauthorized."""
        answer = self._call(method, path, body, query)
        if answer.status < 400:  # noqa: PLR2004 - where refusals begin
            return answer
        if answer.status == 401:  # noqa: PLR2004
            raise Unauthorized
        code, sentence = _refusal(answer)
        raise Refused(answer.status, code, sentence)

    def _call(self, method: str, path: str, body: object, query: Mapping[str, object]) -> Answer:
        inner = self._lent
        if method != "GET":
            self._req.release_database()
            self._lent.rights.clear()
            inner = Inner(caller=self._lent.caller)
        payload = b"" if body is None else json.dumps(body).encode()
        given = {name: _text(value) for name, value in query.items() if value is not None and value != ""}
        environ = {name: self._req.env[name] for name in _PASSED_ON if name in self._req.env} | {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": API + path,
            "RAW_URI": API + path,
            "QUERY_STRING": urlencode(given, quote_via=quote),
            "CONTENT_LENGTH": str(len(payload)),
            "HTTP_X_REQUEST_ID": self._req.request_id,
            "wsgi.input": BytesIO(payload),
        }
        environ |= inner.environment
        if path.startswith(_OF_A_PROJECT):
            environ["HTTP_X_IS_RESOURCE_NAME"] = "true"  # a name may be digits alone; ids are in queries and bodies
        if body is not None:
            environ["CONTENT_TYPE"] = "application/json"
        began: list[tuple[str, Iterable[tuple[str, str]]]] = []
        parts = self._application(environ, lambda status, headers, _error=None: began.append((status, headers)))
        try:
            content = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        ((status, headers),) = began
        return Answer(
            status=int(status.partition(" ")[0]), body=content,
            headers={name.lower(): value for name, value in headers},
        )  # fmt: skip


def segment(text: str) -> str:
    """A name as one segment of an API path: a repository's slashes stay inside it."""
    return quote(quote(text, safe=""), safe="")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _refusal(answer: Answer) -> tuple[str, str]:
    try:
        first = answer.content["errors"][0]
        return str(first["code"]), str(first["message"])
    except (ValueError, LookupError, TypeError):
        return "UNKNOWN", "internal server error"
