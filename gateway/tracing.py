"""A span for each request that a mount answers, put around its app where traces are sent at all.

What is inside sees the header of a client replaced by that of this span: it passes on what it reads, as before, and
nobody outside can have anything written down in his own words.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from shared.tracing.context import HEADER
from shared.tracing.current import method_of, tracer, within
from shared.tracing.spans import LONGEST, Attribute, Span, Tracer

ROUTE: Final = "breakwater.route"
"""In the environment of a WSGI request: what of it is the same for all requests of its kind."""

_FAULT: Final = 500

Environ = dict[str, Any]
Message = MutableMapping[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Asgi = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def traced_wsgi(app: Wsgi, route_of: Callable[[str], str | None]) -> Wsgi:
    """The app, with a span around each request; itself where nothing is traced.

    `route_of` names a path's route where the app has put none into the environment; None for what is not traced.
    """
    found = tracer()
    return _Wsgi(app, route_of, found) if found else app


def traced_asgi(app: Asgi, route_of: Callable[[str], str | None]) -> Asgi:
    """The same for ASGI; it has no environment, so `route_of` is always asked."""
    found = tracer()
    return _Asgi(app, route_of, found) if found else app


class _Wsgi:
    def __init__(self, app: Wsgi, route_of: Callable[[str], str | None], here: Tracer) -> None:
        self._app = app
        self._route_of = route_of
        self._tracer = here

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        client = environ.pop("HTTP_TRACEPARENT", None)
        path = str(environ.get("PATH_INFO") or "/")
        route = self._route_of(path)
        if route is None:
            return self._app(environ, start_response)
        method = str(environ["REQUEST_METHOD"])
        header = {
            "host": environ.get("HTTP_HOST"),
            "user-agent": environ.get("HTTP_USER_AGENT"),
            "x-forwarded-for": environ.get("HTTP_X_FORWARDED_FOR"),
            "x-forwarded-proto": environ.get("HTTP_X_FORWARDED_PROTO"),
        }
        span = self._tracer.request(
            "", environ.get("HTTP_X_REQUEST_ID"), client, _attributes(method, path, header)
        )
        environ["HTTP_TRACEPARENT"] = span.traceparent
        status = _FAULT

        def answer(line: str, *arguments: Any) -> Any:  # noqa: ANN401 - as WSGI has it
            nonlocal status
            status = int(line.partition(" ")[0])
            return start_response(line, *arguments)

        try:
            with within(span):
                return self._app(environ, answer)
        finally:
            _end(span, method, environ.get(ROUTE) or route, status)


class _Asgi:
    def __init__(self, app: Asgi, route_of: Callable[[str], str | None], here: Tracer) -> None:
        self._app = app
        self._route_of = route_of
        self._tracer = here

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]  # noqa: ANN401 - as ASGI has it
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client = header.pop(HEADER, None)
        path, method = str(scope["path"]), str(scope["method"])
        kept = [each for each in scope["headers"] if each[0] != HEADER.encode()]
        route = self._route_of(path)
        if route is None:
            await self._app({**scope, "headers": kept}, receive, send)
            return
        span = self._tracer.request("", header.get("x-request-id"), client, _attributes(method, path, header))
        status = _FAULT

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                # a stream lasts for hours: what counts is when its answer began
                status = message["status"]
                _end(span, method, route, status)
            await send(message)

        try:
            with within(span):
                inside = {**scope, "headers": [*kept, (HEADER.encode(), span.traceparent.encode())]}
                await self._app(inside, receive, answer)
        finally:
            if not span.ended:
                _end(span, method, route, status)


def _attributes(method: str, path: str, header: Mapping[str, str | None]) -> dict[str, Attribute]:
    told: dict[str, str | None] = {
        "http.request.method": method_of(method),
        "url.path": path,
        "url.scheme": header.get("x-forwarded-proto") or "http",
        "server.address": (header.get("host") or "").partition(":")[0],
        "client.address": (header.get("x-forwarded-for") or "").rpartition(",")[2].strip(),
        "user_agent.original": header.get("user-agent"),
    }
    return {name: value[:LONGEST] for name, value in told.items() if value}


def _end(span: Span, method: str, route: str, status: int) -> None:
    """Name it, now that the route is known, and end it; an answer that refuses is none that failed."""
    span.name = f"{method_of(method)} {route}".strip()
    attributes: dict[str, Attribute] = {"http.response.status_code": status}
    if route:
        attributes["http.route"] = route
    span.end(attributes, error=str(status) if status >= _FAULT else "")
