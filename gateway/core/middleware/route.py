"""Tells the span around a request which route it took: needed only where there are spans."""

import re
from typing import Final

import structlog

from gateway.core.request import API, METRICS, ApiRequest, ApiResponse
from gateway.tracing import ROUTE
from shared.readiness import LIVE, READY
from shared.tracing.current import at_hand

_NOT_TRACED: Final = frozenset({METRICS, "/healthz", LIVE, READY, f"{API}/ping", f"{API}/health"})
"""What is asked every few seconds, whether or not anybody does anything."""
_REGISTRY: Final = re.compile(r"/v2/.+/(?P<kind>manifests|tags|referrers)/[^/]+")
_REGISTRY_ROUTES: Final = {
    "manifests": "/v2/{name}/manifests/{reference}",
    "tags": "/v2/{name}/tags/list",
    "referrers": "/v2/{name}/referrers/{digest}",
}


class Routes:
    """Puts the route's template into the environment, and the trace's id on every line that is logged."""

    def process_request(self, _req: ApiRequest, _resp: ApiResponse) -> None:
        """The id of the trace is the request's, unless the client had one."""
        span = at_hand()
        if span is not None:
            structlog.contextvars.bind_contextvars(trace_id=span.context.trace_id)

    def process_resource(self, req: ApiRequest, _resp: ApiResponse, _resource: object, _params: object) -> None:
        """Called once a route is found; a call that a page makes of the API is a part of the page."""
        req.env.setdefault(ROUTE, req.uri_template)


def route_of(path: str) -> str | None:
    """The route of what is no resource of Falcon's; None for what is not traced."""
    if path in _NOT_TRACED:
        return None
    match = _REGISTRY.fullmatch(path)
    return _REGISTRY_ROUTES[match["kind"]] if match else ""
