"""Sending spans from a process of its own: to a collector that takes them, one that is dead, one that hangs."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from compose.local.certificate import make_certificate
from tests.clients.collector import Collector, collector
from tests.integration.broker import CHECKOUT
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN: Final = """
import json, os, sys, time
kind = sys.argv[2]
options = {}
if kind == "green":
    from shared.messaging.runner import _in_a_thread, patch
    patch()
    import eventlet.patcher
    options = {"start": _in_a_thread, "sleep": eventlet.patcher.original("time").sleep}
from pathlib import Path
from shared import logging
from shared.settings import Settings
from shared.tracing import current
from shared.tracing.spans import Kind
logging.configure("audit")
here = Path("/tmp")
current.begin(Settings(home=here, run=here, part="audit", traces_endpoint=sys.argv[1]), **options)

def work(number, name="GET /x"):
    begun = time.monotonic()
    for each in range(number):
        current.tracer().request(name, f"r{each}", None, {"a": "b" * 1000}).end()
    return time.monotonic() - begun

def end():
    begun = time.monotonic()
    current.end()
    return time.monotonic() - begun
"""
TOO_MANY: Final = 5000
"""More than wait at once."""
KINDS: Final = ("native", "green")
REFUSALS: Final = (302, 400, 503)


@pytest.fixture
def traces() -> Iterator[Collector]:
    with collector() as started:
        yield started


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """With Python's threads, and with eventlet's in their place."""
    return str(request.param)


def run(url: str, kind: str, body: str) -> list[dict[str, Any]]:
    """Every line that it says, the log's among them."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEGIN + body, url, kind], cwd=CHECKOUT, capture_output=True, text=True,
        timeout=60, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def lost(lines: list[dict[str, Any]]) -> list[int]:
    return [line["spans"] for line in lines if line.get("event") == "traces_not_sent"]


def test_what_is_left_at_the_end_is_sent_before_it(traces: Collector, kind: str) -> None:
    [took] = run(traces.url, kind, 'work(700); print(json.dumps({"end": end()}))')
    assert took["end"] < 2
    assert len(traces.named("GET /x")) == 700
    assert len({span.id for span in traces.spans}) == 700
    span = traces.spans[0]
    assert (span.kind, span.parent, span.failed, len(span.attributes["a"])) == ("server", "", False, 256)
    assert span.resource["service.name"] == "breakwater-audit"
    assert {"service.namespace", "service.version", "service.instance.id"} <= span.resource.keys()


def test_they_are_sent_as_they_come_too(traces: Collector, kind: str) -> None:
    [sent] = run(traces.url, kind, """
work(3)
time.sleep(2)
import urllib.request
print(json.dumps({"waiting": len(current._process.sender._waiting)}))
os._exit(0)
""")
    assert sent == {"waiting": 0}
    assert len(traces.spans) == 3


def test_a_dead_collector_costs_nobody_anything_and_is_told_once_and_at_the_end() -> None:
    url, body = f"http://127.0.0.1:{free_port()}", """
for _ in range(30):
    took = work(100)
    time.sleep(0.3)
print(json.dumps({"work": took}))
print(json.dumps({"end": end()}))
"""
    with ThreadPoolExecutor(len(KINDS)) as at_once:
        for lines in at_once.map(lambda kind: run(url, kind, body), KINDS):
            assert next(line["work"] for line in lines if "work" in line) < 1
            assert lines[-1]["end"] < 2.5
            assert len(lost(lines)) == 2
            assert sum(lost(lines)) == 3000


def test_a_collector_that_hangs_costs_nobody_anything(traces: Collector, kind: str) -> None:
    traces.hangs = True
    lines = run(traces.url, kind, f"""
took = work({TOO_MANY})
time.sleep(2)
took += work({TOO_MANY})
print(json.dumps({{"work": took, "waiting": len(current._process.sender._waiting), "end": end()}}))
""")
    assert traces.requests
    assert lines[-1]["work"] < 5
    assert lines[-1]["waiting"] <= 2048
    assert lines[-1]["end"] < 2.5
    assert sum(lost(lines)) > 0


def test_what_is_not_taken_is_dropped() -> None:
    body = """
work(10)
time.sleep(1.8)
work(10)
time.sleep(6)
work(10)
print(json.dumps({"end": end()}))
"""
    with ExitStack() as stack, ThreadPoolExecutor(len(REFUSALS)) as at_once:
        refusing = {status: stack.enter_context(collector()) for status in REFUSALS}
        for status, each in refusing.items():
            each.status = status
        said = at_once.map(lambda each: run(each.url, "native", body), refusing.values())
        for status, lines in zip(refusing, said, strict=True):
            assert refusing[status].spans == []
            assert lines[-1]["end"] < 2.5
            # the exporter takes a redirect, which it does not follow, for success
            assert sum(lost(lines)) == (0 if status == 302 else 30)


def test_a_name_that_is_not_resolved_stops_no_green_thread() -> None:
    lines = run("http://no-such-collector.invalid", "green", """
import socket
real = socket.getaddrinfo
def slow(*question, **more):
    eventlet.patcher.original("time").sleep(3)
    return real(*question, **more)
socket.getaddrinfo = slow
import urllib3.util.connection
work(1)
longest, last = 0, time.monotonic()
deadline = last + 4
while last < deadline:
    time.sleep(0.01)
    now = time.monotonic()
    longest, last = max(longest, now - last), now
print(json.dumps({"longest": longest}))
os._exit(0)
""")
    assert lines[-1]["longest"] < 1


def test_what_cannot_begin_is_told_and_breaks_nothing(traces: Collector, kind: str) -> None:
    lines = run(traces.url, kind, """
import shared.tracing.sending
shared.tracing.sending.OTLPSpanExporter = None
work(3)
print(json.dumps({"end": end()}))
""")
    assert [line.get("event") for line in lines] == ["traces_not_begun", "traces_not_sent", None]
    assert lost(lines) == [3]
    assert lines[-1]["end"] < 1


def test_a_process_that_is_forked_sends_its_own(traces: Collector) -> None:
    lines = run(traces.url, "native", """
work(2, "before")
for name in ("first", "second"):
    if not os.fork():
        work(3, name)
        print(json.dumps({"end": end()}), flush=True)
        os._exit(0)
    os.wait()
work(2, "after")
end()
""")
    assert all(line["end"] < 2 for line in lines)
    assert {name: len(traces.named(name)) for name in ("before", "first", "second", "after")} == {
        "before": 2, "first": 3, "second": 3, "after": 2,
    }
    assert len({span.resource["service.instance.id"] for span in traces.spans}) == 3
    assert len({span.id for span in traces.spans}) == len(traces.spans)


def test_what_is_forked_before_anything_is_traced_sends_too(traces: Collector) -> None:
    run(traces.url, "native", "os.fork() or (work(5), end(), os._exit(0)); os.wait(); end()")
    assert len(traces.spans) == 5


def test_a_proxy_and_a_password_of_the_environment_are_nothing_for_it(
    traces: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    run(traces.url, "native", "work(1); end()")
    assert len(traces.spans) == 1


def test_a_collector_behind_tls_is_believed_where_the_system_believes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = make_certificate(tmp_path, ["127.0.0.1"], datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with collector(tls=context) as behind:
        assert sum(lost(run(behind.url, "green", "work(1); end()"))) == 1
        assert behind.spans == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.crt"))
        assert run(behind.url, "green", "work(1); end()") == []
        assert len(behind.spans) == 1


EDGES: Final = (
    "gateway.core.app", "gateway.token.app", "gateway.events.app", "services.webhook.intake",
    "services.webhook.service", "services.webhook.deliveries", "services.audit.service", "services.api.service",
    "services.replication.service",
)  # fmt: skip


@pytest.mark.parametrize("edge", EDGES)
def test_without_a_collector_nothing_of_opentelemetry_is_loaded(edge: str) -> None:
    body = """
import importlib, json, sys
if "gateway" not in sys.argv[1]:
    from shared.messaging.runner import patch
    patch()
importlib.import_module(sys.argv[1])
from pathlib import Path
from shared.settings import Settings
from shared.tracing import current
current.begin(Settings(home=Path("/tmp"), run=Path("/tmp"), part="x"))
assert current.tracer() is None
print(json.dumps([name for name in sys.modules if name.startswith(("opentelemetry", "google"))]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", body, edge], cwd=CHECKOUT, capture_output=True, text=True, timeout=60,
        check=True,
    )
    assert json.loads(done.stdout) == []
