"""One log line a request: what was asked, by whom, how it ended, how long it took. Queries and bodies are not in it."""

from time import perf_counter

from gateway.core.request import ApiRequest, ApiResponse
from shared import logging


class RequestLog:
    """Writes the line when the answer is ready."""

    def __init__(self) -> None:
        self._log = logging.get()

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Start the clock."""
        req.context.started = perf_counter()

    def process_response(self, req: ApiRequest, resp: ApiResponse, _resource: object, _succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Stop it."""
        caller = getattr(req, "caller", None)
        self._log.info(
            "request",
            method=req.method,
            path=req.path,
            status=resp.status_code,
            milliseconds=round((perf_counter() - req.context.started) * 1000, 1),
            actor=caller.name if caller else "",
            address=getattr(req, "address", None),
        )
