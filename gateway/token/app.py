"""The token mount: the one process that reads the signing key. For gunicorn's asgi worker."""

import atexit
import gc
from collections.abc import Mapping
from typing import Any

from falcon.asgi import App, Request, Response

from gateway.token.basic import BasicResource
from gateway.token.desk import Desk
from gateway.token.errors import answer_errors
from gateway.token.outcomes import TokenMeter
from gateway.token.resources import LiveResource, ReadyResource, SystemTokenResource, TokenResource
from gateway.token.standings import Standings
from gateway.token.threads import FAR, NEAR, WRITING, Threads
from gateway.tracing import Asgi, traced_asgi
from services.token.commands import Issuer
from services.token.database import HotConnection
from services.token.signing import CurrentSigner
from shared import logging
from shared.auth.login import build_login
from shared.db import engine, session_factory
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from shared.readiness import LIVE, READY
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE, Settings, load_settings
from shared.tracing import current as tracing

_POOL = 4
_PATHS = frozenset({"/auth/token", "/service/token", "/internal/token", "/internal/basic"})
_ALLOCATIONS = 20_000
"""Between two looks of the collector: a request leaves nothing behind for it, and makes hundreds of objects."""


class _Lifespan:
    """What a worker begins after the fork and ends before it leaves."""

    def __init__(self, desk: Desk, recorder: Recorder) -> None:
        self._desk = desk
        self._recorder = recorder

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002 - Falcon names them
        gc.freeze()  # what is there now stays: the collector need not look at it again
        gc.set_threshold(_ALLOCATIONS)
        self._desk.login.record.keep(report=True)
        self._recorder.keep()

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002 - Falcon names them
        for lane in (self._desk.near, self._desk.far, self._desk.writing):
            lane.close()
        self._desk.login.record.close()
        self._recorder.close()
        self._desk.hot.close()


def application() -> Asgi:
    """The entry point: settings from the environment. Raises ConfigurationError."""
    settings = load_settings()
    logging.configure(settings.part, level=settings.log_level)
    tracing.begin(settings)
    atexit.register(tracing.end)
    return traced_asgi(create_app(settings), _route)


def create_app(settings: Settings) -> App[Request, Response]:
    """The application of an instance; no connection is opened and no thread started yet."""
    bind = engine(settings, pool_size=_POOL, impatient=True)
    hot = HotConnection(settings)
    desk = Desk(
        hot=hot,
        standings=Standings(hot),
        login=build_login(settings, bind, directory_seats=FAR - 4),
        issuer=Issuer(
            signer=CurrentSigner(settings.secrets / "token" / "signing"),
            issuer=TOKEN_ISSUER,
            audience=TOKEN_SERVICE,
            lifetime=settings.token_lifetime,
        ),
        near=Threads(NEAR),
        far=Threads(FAR),
        writing=Threads(WRITING),
        sessions=session_factory(bind),
    )
    tally = Tally()
    app: App[Request, Response] = App(middleware=[_Lifespan(desk, Recorder(settings, tally)), TokenMeter(tally)])
    answer_errors(app)
    tokens = TokenResource(desk)
    app.add_route("/auth/token", tokens)
    app.add_route("/service/token", tokens)
    app.add_route("/internal/token", SystemTokenResource(desk, settings.secrets / "token" / "system-credentials.json"))
    app.add_route("/internal/basic", BasicResource(desk))
    app.add_route(LIVE, LiveResource())
    app.add_route(READY, ReadyResource(desk))
    return app


def _route(path: str) -> str | None:
    """All of them are fixed; what a client makes up is not told, and whether all is well nobody traces."""
    if path in {LIVE, READY}:
        return None
    return path if path in _PATHS else ""
