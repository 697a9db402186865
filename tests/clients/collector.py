"""A collector of traces: takes what is sent to it by OTLP over HTTP, as a real one does, and shows it.

`python -m tests.clients.collector PORT` is one in a container, which prints each span as a line of JSON.
"""

from __future__ import annotations

import gzip
import json
import ssl
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
FAILED: Final = 2


@dataclass(frozen=True, kw_only=True)
class Spanned:
    """A span, as it came."""

    part: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool
    seconds: float
    resource: dict[str, Any]


@dataclass
class Collector:
    """What came."""

    url: str
    spans: list[Spanned] = field(default_factory=list)
    requests: int = 0
    status: int = 200
    """What it answers."""
    hangs: bool = False
    """It takes a request and never answers."""

    def of(self, trace: str) -> list[Spanned]:
        return [span for span in self.spans if span.trace == trace]

    def named(self, name: str) -> list[Spanned]:
        return [span for span in self.spans if span.name == name]

    def take(self, body: bytes) -> None:
        self.requests += 1
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            about = values(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(Spanned(
                        part=about["service.name"].removeprefix("breakwater-"), name=span.name, kind=KINDS[span.kind],
                        trace=span.trace_id.hex(), id=span.span_id.hex(), parent=span.parent_span_id.hex(),
                        attributes=values(span.attributes), failed=span.status.code == FAILED,
                        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9, resource=about,
                    ))  # fmt: skip


def values(attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - protobuf's container
    return {each.key: value_of(each) for each in attributes}


def value_of(attribute: KeyValue) -> object:
    kind = attribute.value.WhichOneof("value")
    return getattr(attribute.value, kind) if kind else None


@contextmanager
def collector(*, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> Iterator[Collector]:
    """One that listens."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if found.hangs:
                found.requests += 1
                ended.wait()
                self.close_connection = True
                return
            status = found.status if self.path == "/v1/traces" else 404
            if status == 200:
                found.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    found = Collector(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def main(port: int) -> None:
    """Until it is killed."""
    with collector(host="", port=port) as found:
        told = 0
        while True:
            time.sleep(0.2)
            for span in found.spans[told:]:
                sys.stdout.write(f"{json.dumps(asdict(span))}\n")
                told += 1
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
