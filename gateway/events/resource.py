"""The stream's one resource: reads what is asked, signs the caller in, opens the stream."""

import asyncio
import binascii
import re
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from uuid import uuid4

import falcon
import falcon.asgi
import structlog
from sqlalchemy.orm import Session, sessionmaker

from gateway import browser
from gateway.events.asking import Wish, read_wish
from gateway.events.hub import Hub
from shared import logging
from shared.auth import sessions
from shared.auth.authenticate import Accepted, Client, Credential, Method, Reason
from shared.auth.errors import TooManyGuesses
from shared.auth.login import Login
from shared.auth.principals import Principal
from shared.db import unavailable_when_down
from shared.errors import Forbidden, Unauthorized, Unavailable
from shared.secrets import Secret

THREADS: Final = 4
MOST_LOGINS_WAITING: Final = 200
DIRECTORY_LASTS: Final = timedelta(minutes=5)
"""A directory does not tell us that an account was closed or left a group: a stream lasts no longer than a token."""

Verdict = TypeVar("Verdict")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class EventStream:
    """GET /api/v2.0/events/stream."""

    def __init__(self, hub: Hub, login: Login, database: sessionmaker[Session]) -> None:
        self._hub = hub
        self._login = login
        self._database = database
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="login")
        # a directory that is slow to answer keeps nobody waiting who has signed in before
        self._short = ThreadPoolExecutor(1, thread_name_prefix="session")
        self._waiting = 0
        self._log = logging.get()

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Open a stream. Raises BadRequest, Unauthorized, Forbidden, LogTrimmed, Unavailable, TooManyRequests."""
        client = _client(req)
        structlog.contextvars.bind_contextvars(request_id=client.request_id)
        resp.set_header("X-Request-Id", client.request_id or "")
        self._hub.refuse_more()
        wish = _wish(req)
        cookie = browser.single(req.get_cookie_values(browser.SESSION_COOKIE)) if req.auth is None else None
        if cookie is not None:
            _refuse_elsewhere(req)
            principal = await self._resume(cookie)
            stream = await self._hub.open(principal, wish, session=sessions.fingerprint(cookie))
        else:
            accepted = await self._sign_in(_credential(req.auth), client)
            principal = accepted.principal
            stream = await self._hub.open(
                principal, wish, lasts=DIRECTORY_LASTS if accepted.method is Method.LDAP else None
            )
        self._log.info("stream.opened", actor=principal.name, address=client.address, since=str(wish.since or ""))
        resp.content_type = "text/event-stream; charset=utf-8"
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = stream

    async def _sign_in(self, credential: Credential, client: Client) -> Accepted:
        """Compare in a thread. What is waited for is bounded."""
        verdict = await self._in_thread(
            self._threads, lambda: self._login.authenticate(credential, client, datetime.now(UTC))
        )
        if isinstance(verdict, Accepted):
            return verdict
        if verdict.reason is Reason.GUESSING:
            raise TooManyGuesses(verdict.retry_after)
        raise Unauthorized("incorrect username or password")


    async def _resume(self, cookie: str) -> Principal:
        """Whose session it is. Listening alone does not keep it from becoming idle. Raises Unauthorized."""
        found = await self._in_thread(self._short, lambda: self._find(cookie))
        if found is None:
            raise Unauthorized("the session is over: sign in again")
        return found.principal

    def _find(self, cookie: str) -> sessions.Found | None:
        with unavailable_when_down(), self._database() as database:
            return sessions.find(database, cookie, datetime.now(UTC), renew=False)

    async def _in_thread(self, threads: ThreadPoolExecutor, judge: Callable[[], Verdict]) -> Verdict:
        if self._waiting >= MOST_LOGINS_WAITING:
            raise Unavailable("too many logins at once: try again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, judge)
        finally:
            self._waiting -= 1


class Livez:
    """The process turns, whatever else is away."""

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer without asking anything."""
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "ok\n"


class Readyz:
    """The log is read; the hub is asked, and not the database."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def on_get(self, _req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Unavailable where it was not read for some seconds."""
        if not self._hub.is_reading:
            raise Unavailable("the log of events cannot be read right now")
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "ok\n"


def _wish(req: falcon.asgi.Request) -> Wish:
    return read_wish(
        types=req.get_param_as_list("type") or (),
        projects=req.get_param_as_list("project") or (),
        repositories=req.get_param_as_list("repository") or (),
        last_event_id=req.get_header("Last-Event-ID"),
        since=req.get_param("since"),
    )


def _refuse_elsewhere(req: falcon.asgi.Request) -> None:
    """A cookie goes along by itself: the page that asks has to be one of ours. Raises Forbidden."""
    if browser.is_from_elsewhere(
        origin=req.get_header("Origin"), host=req.get_header("Host"), fetch_site=req.get_header("Sec-Fetch-Site")
    ):
        raise Forbidden("the request comes from a page of another site")


def _credential(header: str | None) -> Credential:
    """The credential of a Basic Authorization header (RFC 7617, UTF-8). Raises Unauthorized."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Unauthorized from error
    if not colon:
        raise Unauthorized
    return Credential(name=name, password=Secret(password))


def _client(req: falcon.asgi.Request) -> Client:
    """Where a request came from; only the proxy reaches this socket, and it writes X-Forwarded-For anew."""
    forwarded: str = req.get_header("X-Forwarded-For") or ""
    request_id: str = req.get_header("X-Request-Id") or ""
    return Client(
        address=forwarded.rpartition(",")[2].strip(),
        user_agent=req.get_header("User-Agent"),
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else uuid4().hex,
        traceparent=req.get_header("traceparent"),
    )
