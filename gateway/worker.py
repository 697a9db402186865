"""gunicorn's asgi worker that shares its socket well, and leaves at once when it is asked to and has nothing to do.

asyncio listens anew with a queue of 100; a burst beyond that on a unix socket is refused at once (EAGAIN), and the
proxy answers 502 for it. It also takes as many connections at once as the queue holds: whichever worker wakes first
would get all of a burst, keep them alive, and work alone from then on.

gunicorn's own would wait for each connection that a client merely keeps, for as long as it waits for a request at work.
"""

import asyncio
from asyncio import Server
from typing import Any, Final
from weakref import WeakSet

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

_AT_ONCE: Final = 8


class BacklogWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn is untyped
    """For `gunicorn -k gateway.worker.BacklogWorker`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - gunicorn's own
        super().__init__(*arguments, **options)
        self._protocols: WeakSet[ASGIProtocol] = WeakSet()
        self._serving: asyncio.Task[None] | None = None

    def handle_exit_signal(self) -> None:
        """Called at SIGTERM: the worker would look up from its sleep only each second."""
        wakes = self.alive and self.servers and self._serving
        super().handle_exit_signal()
        if wakes:
            wakes.cancel()

    def _setup_event_loop(self) -> None:
        super()._setup_event_loop()
        create_server = self.loop.create_server

        async def listen(make: Any, *, sock: Any, **options: Any) -> Server:  # noqa: ANN401 - asyncio's own
            def remembered() -> ASGIProtocol:
                protocol = make()
                self._protocols.add(protocol)
                return protocol

            server: Server = await create_server(remembered, sock=sock, backlog=_AT_ONCE, **options)
            sock.listen(self.cfg.backlog)
            return server

        self.loop.create_server = listen

    async def _serve(self) -> None:
        self._serving = asyncio.current_task()
        await super()._serve()

    async def _shutdown(self) -> None:
        for server in self.servers:
            server.close()
        for protocol in filter(_is_idle, tuple(self._protocols)):
            protocol._keepalive_timeout()  # noqa: SLF001 - as where a client was idle for too long
        await super()._shutdown()


def _is_idle(protocol: ASGIProtocol) -> bool:
    waits = protocol._awaiting_request and not protocol._request_ready.is_set()  # noqa: SLF001 - told nowhere else
    return bool(waits and not protocol._finishing_calls)  # noqa: SLF001 - as above
