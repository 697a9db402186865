"""gunicorn's asgi worker that shares its socket well: a long backlog, and a few connections taken at a time.

asyncio listens anew with a queue of 100; a burst beyond that on a unix socket is refused at once (EAGAIN), and the
proxy answers 502 for it. It also takes as many connections at once as the queue holds: whichever worker wakes first
would get all of a burst, keep them alive, and work alone from then on.
"""

from asyncio import Server
from typing import Any, Final

from gunicorn.workers.gasgi import ASGIWorker

_AT_ONCE: Final = 8


class BacklogWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn is untyped
    """For `gunicorn -k gateway.worker.BacklogWorker`."""

    def _setup_event_loop(self) -> None:
        super()._setup_event_loop()
        create_server = self.loop.create_server

        async def listen(*arguments: Any, sock: Any, **options: Any) -> Server:  # noqa: ANN401 - asyncio's own
            server: Server = await create_server(*arguments, sock=sock, backlog=_AT_ONCE, **options)
            sock.listen(self.cfg.backlog)
            return server

        self.loop.create_server = listen
