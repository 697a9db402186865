"""gunicorn's asgi worker with gunicorn's own backlog.

asyncio listens anew with a queue of 100; a burst beyond that on a unix socket is refused at once (EAGAIN), and the
proxy answers 502 for it.
"""

from functools import partial

from gunicorn.workers.gasgi import ASGIWorker


class BacklogWorker(ASGIWorker):  # type: ignore[misc]  # gunicorn is untyped
    """For `gunicorn -k gateway.worker.BacklogWorker`."""

    def _setup_event_loop(self) -> None:
        super()._setup_event_loop()
        self.loop.create_server = partial(self.loop.create_server, backlog=self.cfg.backlog)
