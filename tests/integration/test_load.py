"""The clients that work while containers are killed: what is not their own fault is not to fail with them."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.clients.polling import eventually
from tests.containers.load import Load

EVENT = b'{"type": "breakwater.artifact.pushed.v1", "id": "one", "data": {"repository": "p/app", "tag": "v1"}}'


class RefusingFirst(BaseHTTPRequestHandler):
    """Has no stream for who comes first, and no token for anybody."""

    asked = 0

    def do_GET(self) -> None:
        streamed = self.path.startswith("/api/v2.0/events/stream")
        RefusingFirst.asked += streamed
        if not streamed or RefusingFirst.asked == 1:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        self.wfile.write(b"id: 1\ndata: " + EVENT + b"\n\n")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
        pass


def test_stream_that_is_refused_is_asked_for_again() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusingFirst) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with Load(f"http://127.0.0.1:{server.server_port}", "password", "p", pushers=0, pullers=0) as load:
                eventually(lambda: load.streamed("artifact.pushed"), within=10, what="the event is streamed")
        finally:
            server.shutdown()
