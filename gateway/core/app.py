"""The core mount's wiring: `gunicorn gateway.core.app:application()`."""

import atexit

import falcon
from sqlalchemy import Engine

from gateway.core import refusals
from gateway.core.catalogue import build_catalogue
from gateway.core.distribution.mount import mount_lists
from gateway.core.gate import mount_gate
from gateway.core.health import build_health_check
from gateway.core.internal import IncomingRepository
from gateway.core.middleware.authentication import Authentication
from gateway.core.middleware.body_limit import BodyLimit
from gateway.core.middleware.content_type import ContentTypes
from gateway.core.middleware.database import DatabaseSession
from gateway.core.middleware.meter import Meter
from gateway.core.middleware.paths import Paths
from gateway.core.middleware.read_only import ReadOnly
from gateway.core.middleware.request_id import RequestIds
from gateway.core.middleware.request_log import RequestLog
from gateway.core.middleware.route import Routes, route_of
from gateway.core.middleware.security_headers import SecurityHeaders
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.routes import all_routes
from gateway.core.sign_in import SignIn
from gateway.core.transfers import Transfers
from gateway.portal.mount import mount_portal
from gateway.tracing import Wsgi, traced_wsgi
from shared import logging
from shared.auth.bearer import Verifier
from shared.auth.login import Login, build_login
from shared.db import engine, session_factory
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from shared.secrets import Sealer
from shared.settings import Settings, load_settings
from shared.tracing import current as tracing

POOL_SIZE = 12  # the threads of a worker, and what acts on the registry or asks for health beside them

App = falcon.App[ApiRequest, ApiResponse]


def application() -> Wsgi:
    """The app of one gunicorn worker, from the environment. Raises ConfigurationError."""
    settings = load_settings()
    logging.configure(settings.part, level=settings.log_level)
    tracing.begin(settings)
    atexit.register(tracing.end)
    bind = engine(settings, pool_size=POOL_SIZE, impatient=True)
    login = build_login(settings, bind)
    login.record.keep(report=False)
    tally = Tally()
    recorder = Recorder(settings, tally, gather=Transfers(settings.transfers, tally).count)
    recorder.keep()
    atexit.register(recorder.close)
    return traced_wsgi(build(settings, bind, login, tally), route_of)


def build(settings: Settings, bind: Engine, login: Login, tally: Tally | None = None) -> App:
    """The app for given settings; what it answers is counted in `tally`, where somebody tells of that."""
    sessions, sign_in = session_factory(bind), SignIn(login)
    tally = tally or Tally()
    app = falcon.App(
        request_type=ApiRequest,
        response_type=ApiResponse,
        media_type=falcon.MEDIA_TEXT,  # of what has no body; ContentTypes tells of the rest
        middleware=[
            RequestLog(),
            Meter(tally),
            RequestIds(settings.instance_id),
            SecurityHeaders(),
            ContentTypes(),
            Paths(),
            BodyLimit(),
            DatabaseSession(sessions),
            Authentication(sign_in),
            ReadOnly(),
            *([Routes()] if tracing.tracer() else []),
        ],
    )
    check, catalogue = build_health_check(settings, bind), build_catalogue(settings, sessions, tally)
    sealer = Sealer.read(settings.secrets / "config-key")
    for path, resource in all_routes(settings, check, catalogue, sealer, login).items():
        app.add_route(path, resource)
    verifier = Verifier(settings.secrets / "registry" / "bundle.pem")
    mount_lists(
        app, catalogue=catalogue, sign_in=sign_in, verifier=verifier, registry=settings.registry, tally=tally
    )
    mount_gate(
        app, sessions=sessions, registry=settings.registry, client=catalogue.registry, verifier=verifier, tally=tally
    )
    mount_portal(app, sign_in_with=sign_in, folders=[settings.assets])
    # the last route: all are compiled now, and what that takes is given back before the first request
    app.add_route("/internal/repositories/{repository:path}", IncomingRepository(settings, verifier), compile=True)
    for error, handler in refusals.HANDLERS.items():
        app.add_error_handler(error, handler)
    return app
