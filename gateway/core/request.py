"""A request of the API: what the middleware found out about it, and what a resource asks of it."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import falcon
from sqlalchemy.orm import Session

from gateway import browser
from shared.auth.principals import Principal
from shared.errors import BadRequest, NotFound, Unprocessable
from shared.events import Actor, ActorKind, EventContext
from shared.listing import Listing, parse_order, parse_terms

API: Final = "/api/v2.0"
METRICS: Final = "/metrics"
MAX_PAGE: Final = 1_000_000_000
MAX_PAGE_SIZE: Final = 100
MAX_ID: Final = 2**31 - 1


class ApiRequest(falcon.Request):
    """A request after the middleware: with its caller, its number, its database session."""

    request_id: str
    address: str | None
    caller: Principal
    is_unjudged: bool = False
    """Whether a name and a password came that could not be judged, as the database is away; for metrics alone."""
    csrf_token: str | None = None
    """Of the session that the caller is known by; None where it is by a password, or not at all."""
    database: Session
    instance_id: UUID
    now: datetime

    @property
    def is_api(self) -> bool:
        """Whether this goes to the REST API, and not to the registry's gate or the portal."""
        return self.path.startswith("/api/")

    @property
    def session_cookie(self) -> str | None:
        """The cookie of a session; None where there is none, or several, which no browser of ours sends."""
        return browser.single(self.get_cookie_values(browser.SESSION_COOKIE))

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether a browser says that a page of another site sent this."""
        return browser.is_from_elsewhere(
            origin=self.get_header("Origin"),
            host=self.get_header("Host"),
            fetch_site=self.get_header("Sec-Fetch-Site"),
        )

    @property
    def event_context(self) -> EventContext:
        """What surrounds the events of this request."""
        name = self.caller.name or "anonymous"
        return EventContext(
            instance_id=self.instance_id,
            actor=Actor(kind=ActorKind(self.caller.kind.value), name=name),
            request_id=self.request_id,
            address=self.address,
            user_agent=self.user_agent,
            traceparent=self.get_header("traceparent"),
        )

    def release_database(self) -> None:
        """Commit, and give the connection back before something slow begins that has sessions of its own."""
        self.database.commit()

    def listing(self) -> Listing:
        """The page, filters and order asked for. Raises Unprocessable, BadRequest."""
        return Listing(
            page=self.number("page", default=1, low=1, high=MAX_PAGE),
            page_size=self.number("page_size", default=10, low=0, high=MAX_PAGE_SIZE),
            terms=parse_terms(self.text("q")),
            order=parse_order(self.text("sort")),
        )

    def text(self, name: str) -> str:
        """A query parameter, empty where it is not given. Raises BadRequest for what no text column can hold."""
        value: str = self.get_param(name, default="")
        if "\x00" in value:
            raise BadRequest(f"{name} holds a NUL character")
        return value

    def number(self, name: str, *, default: int, low: int, high: int) -> int:
        """A query parameter as a whole number within bounds. Raises Unprocessable."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
            raise Unprocessable(f"{name} must be a whole number from {low} to {high}")
        return int(text)

    def flag(self, name: str, *, default: bool) -> bool:
        """A query parameter as a boolean. Raises Unprocessable."""
        return _flag(name, self.text(name), default=default)

    def header_flag(self, name: str) -> bool:
        """A header as a boolean, false where it is not given. Raises Unprocessable."""
        return _flag(name, self.get_header(name) or "", default=False)


class ApiResponse(falcon.Response):
    """An answer of the API."""

    def created(self, location: str) -> None:
        """Answer 201 with the new thing's path, which has no host in it."""
        self.status = falcon.HTTP_201
        self.set_header("Location", location)


def identifier(text: str) -> int:
    """A number in a path. Raises Unprocessable where it is none, NotFound where no row can have it."""
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise Unprocessable(f"{text[:40]!r} is not a whole number")
    if len(text) > len(str(MAX_ID)) or not 0 < int(text) <= MAX_ID:
        raise NotFound
    return int(text)


def utc_now() -> datetime:
    """The time of a request."""
    return datetime.now(UTC)


def _flag(name: str, text: str, *, default: bool) -> bool:
    match text.lower():
        case "":
            return default
        case "true" | "1" | "t":
            return True
        case "false" | "0" | "f":
            return False
        case _:
            raise Unprocessable(f"{name} must be true or false")
