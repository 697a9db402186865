"""The event mount's wiring: `gunicorn -k asgi -w 1 gateway.events.app:application()`.

One worker: its one hub reads the log once for all clients.
"""

import asyncio
import atexit
import signal
from contextlib import suppress
from typing import Any, Final

import falcon
import falcon.asgi

from gateway.errors import harbor_body, status_of
from gateway.events.hub import Hub
from gateway.events.resource import EventStream, Livez, Readyz
from gateway.metering import Meter
from gateway.tracing import Asgi, traced_asgi
from shared import logging
from shared.auth.login import Login, build_login
from shared.db import engine, session_factory
from shared.errors import BreakwaterError, TooManyRequests, Unavailable
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from shared.readiness import LIVE, READY
from shared.settings import Settings, load_settings
from shared.tracing import current as tracing

PATH: Final = "/api/v2.0/events/stream"
POOL_SIZE: Final = 4
RETRY_AFTER: Final = "2"


def application() -> Asgi:
    """The app of the gunicorn worker, from the environment. Raises ConfigurationError."""
    settings = load_settings()
    logging.configure(settings.part, level=settings.log_level)
    tracing.begin(settings)
    atexit.register(tracing.end)
    return traced_asgi(build(settings, Hub(settings)), lambda path: PATH if path == PATH else None)


def build(settings: Settings, hub: Hub) -> falcon.asgi.App[Any, Any]:
    """The app for given settings."""
    bind = engine(settings, pool_size=POOL_SIZE, impatient=True)
    login = build_login(settings, bind)
    tally = Tally()
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App(
        middleware=[Life(hub, login, Recorder(settings, tally)), Meter(tally, _area)]
    )
    app.add_route(PATH, EventStream(hub, login, session_factory(bind)))
    app.add_route(LIVE, Livez())
    app.add_route(READY, Readyz(hub))
    app.add_error_handler(BreakwaterError, _refuse)
    app.add_error_handler(falcon.HTTPError, _refuse_http)
    app.add_error_handler(Exception, _fail)
    return app


class Life:
    """Starts the hub with the worker and ends it, and all streams, when the worker stops."""

    def __init__(self, hub: Hub, login: Login, recorder: Recorder) -> None:
        self._hub = hub
        self._login = login
        self._recorder = recorder
        self._task: asyncio.Task[None] | None = None

    async def process_startup(self, _scope: object, _event: object) -> None:
        """Begin to read the log."""
        loop = asyncio.get_running_loop()
        await self._hub.replay.open()
        self._login.record.keep(report=False)
        self._recorder.keep()
        self._task = asyncio.create_task(self._hub.run())
        # gunicorn waits for open responses, and a stream never ends by itself. Python's own handler runs beside the one
        # that gunicorn has put on the loop.
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(self._hub.close))

    async def process_shutdown(self, _scope: object, _event: object) -> None:
        """Let go of everything."""
        self._hub.close()
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._hub.replay.close()
        await asyncio.to_thread(self._login.record.close)
        await asyncio.to_thread(self._recorder.close)


def _area(path: str) -> str | None:
    return "stream" if path == PATH else None


async def _refuse(
    _req: falcon.asgi.Request, resp: falcon.asgi.Response, error: BreakwaterError, _params: object
) -> None:
    if isinstance(error, Unavailable | TooManyRequests):
        resp.set_header("Retry-After", RETRY_AFTER)
    _write(resp, error.code, error.sentence)


async def _refuse_http(
    _req: falcon.asgi.Request, resp: falcon.asgi.Response, error: falcon.HTTPError, _params: object
) -> None:
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "BAD_REQUEST")
    resp.set_headers(error.headers or {})
    _write(resp, code, error.title or code)


async def _fail(_req: falcon.asgi.Request, resp: falcon.asgi.Response, error: Exception, _params: object) -> None:
    logging.get().error("stream.failed", exc_info=error)
    _write(resp, "UNKNOWN", "")


def _write(resp: falcon.asgi.Response, code: str, sentence: str) -> None:
    resp.status = str(status_of(code))
    resp.content_type = falcon.MEDIA_JSON
    resp.data = harbor_body(code, sentence)
