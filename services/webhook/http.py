"""nameko's @http on a server for one caller in a hurry: lean, limited, not to be stopped by a bad connection."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final, TypeVar

from eventlet.event import Event
from eventlet.wsgi import Server
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import HttpOnlyProtocol, WebServer
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from shared import logging
from shared.messaging.dependencies import tally_of
from shared.metrics.figures import HTTP_REQUESTS, HTTP_SECONDS
from shared.readiness import LIVE, READY

LARGEST_READ: Final = 64 * 1024 * 1024
"""Up to here an answer waits until the sender has sent all; beyond, the connection is closed on it."""
IDLE_SECONDS: Final = 120
"""Longer than the registry keeps an idle connection, so that it never sends into one that is being closed."""
READ_SECONDS: Final = 10

Answer = tuple[HTTPStatus, str]
"""A status, and JSON text."""
Service = TypeVar("Service")


class Protocol(HttpOnlyProtocol):  # type: ignore[misc]  # nameko has no types
    """HTTP/1.1 that reads a body only where its length is known and bearable."""

    def handle_one_response(self) -> None:
        """Refuse before a byte of the body is read; pass everything else on."""
        if self.headers.get("transfer-encoding"):
            self._refuse("411 Length Required")
        elif int(self.headers.get("content-length") or 0) > LARGEST_READ:
            self._refuse("413 Payload Too Large")
        else:
            super().handle_one_response()

    def _refuse(self, status: str) -> None:
        self.wfile.write(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode("ascii"))
        self.wfile.flush()
        self.close_connection = 1


class LeanServer(WebServer):  # type: ignore[misc]  # nameko has no types
    """nameko's server with time-outs and without a line a request."""

    def get_wsgi_server(self, sock: Any, wsgi_app: Any, **_options: object) -> Server:  # noqa: ANN401 - nameko's
        """Build eventlet's server."""
        return Server(
            sock,
            sock.getsockname(),
            wsgi_app,
            protocol=Protocol,
            keepalive=IDLE_SECONDS,
            socket_timeout=READ_SECONDS,
            log_output=False,
            debug=False,
        )

    def get_wsgi_app(self) -> Callable[..., list[bytes]]:
        """In place of nameko's own, which spends more on routing and signatures than an answer costs."""
        return self._dispatch

    def process_request(self, sock: Any, address: Any) -> None:  # noqa: ANN401 - nameko's
        """Serve a connection; its end is never the service's."""
        try:
            super().process_request(sock, address)
        except Exception as error:  # noqa: BLE001 - whatever a peer does to its connection ends that connection alone
            logging.get().info("connection_broken", reason=type(error).__name__)
            sock.close()

    def _dispatch(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        """Answer by the entrypoint of this exact path and method."""
        # without entrypoints the service is stopping: whoever asks on a kept connection shall ask again
        status, text = (HTTPStatus.NOT_FOUND if self._providers else HTTPStatus.SERVICE_UNAVAILABLE), "{}"
        for entrypoint in self._providers:
            if entrypoint.url == environ["PATH_INFO"]:
                status = HTTPStatus.METHOD_NOT_ALLOWED
                if entrypoint.method == environ["REQUEST_METHOD"]:
                    status, text = entrypoint.answer(Request(environ))
                    break
        body = text.encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]


class Http(HttpRequestHandler):  # type: ignore[misc]  # nameko has no types
    """nameko's @http on the server above."""

    server = LeanServer()

    def answer(self, request: Request) -> Answer:
        """Have a worker answer, wait for it, and count it."""
        done, begun = Event(), perf_counter()
        self.container.spawn_worker(self, (request,), {}, handle_result=partial(self.handle_result, done))
        answer: Answer = done.wait()
        tally, area = tally_of(self.container), "watch" if self.url in {LIVE, READY} else self.url.rpartition("/")[2]
        tally.count(HTTP_REQUESTS, area, self.method, str(answer[0].value))
        tally.time(HTTP_SECONDS, perf_counter() - begun, area)
        return answer


def http(
    method: str, path: str
) -> Callable[[Callable[[Service, Request], Answer]], Callable[[Service, Request], Answer]]:
    """Have a service's method answer requests of one method to one path."""
    decorator: Callable[[Callable[[Service, Request], Answer]], Callable[[Service, Request], Answer]] = Http.decorator(
        method,
        path,
        expected_exceptions=HTTPException,  # the peer hung up in the middle of its body
    )
    return decorator
