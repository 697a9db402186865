"""Counts what this mount answers, by the kind of its paths; a page's own calls of the API are a part of the page."""

from time import perf_counter
from typing import Final

from gateway.core.inner import inner_of
from gateway.core.request import METRICS, ApiRequest, ApiResponse
from gateway.metering import count_answer
from shared.metrics.tally import Tally
from shared.readiness import LIVE, READY

_WATCHING: Final = frozenset({METRICS, "/healthz", LIVE, READY})


class Meter:
    """Needs RequestLog's clock."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def process_response(self, req: ApiRequest, resp: ApiResponse, _resource: object, _succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Count it."""
        if inner_of(req.env) is None:
            seconds = perf_counter() - req.context.started
            count_answer(self._tally, _area(req.path), req.method, resp.status_code, seconds)


def _area(path: str) -> str:
    """Out of a few, whatever a client asks for."""
    if path.startswith("/v2"):
        return "registry"
    if path.startswith("/api/"):
        return "api"
    if path.startswith("/internal/"):
        return "internal"
    if path in _WATCHING:
        return "watch"
    return "portal"
