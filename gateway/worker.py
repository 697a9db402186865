"""gunicorn's worker for the asgi mounts: uvicorn's, with httptools' parser, that shares its socket well.

asyncio listens anew with a queue of its own; a burst beyond that on a unix socket is refused at once (EAGAIN), and the
proxy answers 502 for it. It also takes as many connections at once as the queue holds: whichever worker wakes first
would get all of a burst, keep them alive, and work alone from then on.
"""

from asyncio import SelectorEventLoop, Server
from typing import Any, ClassVar, Final

from uvicorn_worker import UvicornWorker

_AT_ONCE: Final = 8
_STOP_SECONDS: Final = 4
"""Requests and streams that have not ended by then are cut off, well before gunicorn would kill the worker."""


class SharingLoop(SelectorEventLoop):
    """Takes a few connections at a time from a socket whose queue stays as long as whoever bound it has made it."""

    async def create_server(self, *arguments: Any, sock: Any, backlog: int, **options: Any) -> Server:  # type: ignore[override]  # noqa: ANN401 - asyncio's own; uvicorn alone calls it
        """Listen as asyncio does, but for those two numbers."""
        server = await super().create_server(*arguments, sock=sock, backlog=_AT_ONCE, **options)
        sock.listen(backlog)
        return server


class SharingWorker(UvicornWorker):  # type: ignore[misc]  # it has no types
    """For `gunicorn -k gateway.worker.SharingWorker`: behind the proxy, which alone says who a client is."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "gateway.worker:SharingLoop",
        "http": "httptools",
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
        "timeout_graceful_shutdown": _STOP_SECONDS,
    }
