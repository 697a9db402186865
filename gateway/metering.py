"""Counting what a mount answers, for the two that speak ASGI; and the few words in which all mounts count alike."""

from collections.abc import Callable
from time import perf_counter
from typing import Final

from falcon.asgi import Request, Response

from shared.metrics.figures import HTTP_REQUESTS, HTTP_SECONDS
from shared.metrics.tally import Tally

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Meter:
    """Middleware of a mount: how often, how fast, with which status."""

    def __init__(self, tally: Tally, area_of: Callable[[str], str | None]) -> None:
        """`area_of` names the kind of a path, out of a few; None where it is not counted."""
        self._tally = tally
        self._area_of = area_of

    async def process_request(self, req: Request, _resp: Response) -> None:
        """Start the clock."""
        req.context.started = perf_counter()

    async def process_response(self, req: Request, resp: Response, _resource: object, _succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Stop it."""
        area = self._area_of(req.path)
        if area is not None:
            count_answer(self._tally, area, req.method, resp.status_code, perf_counter() - req.context.started)


def count_answer(tally: Tally, area: str, method: str, status: int, seconds: float) -> None:
    """Count one."""
    tally.count(HTTP_REQUESTS, area, counted_method(method), str(status))
    tally.time(HTTP_SECONDS, seconds, area)


def counted_method(method: str) -> str:
    """Those that clients make up are counted as one."""
    return method if method in _METHODS else "other"
