"""Spans of the core mount as it runs: several workers under gunicorn, many threads, a page that calls the API."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest

from shared.tracing.context import TraceContext, trace_id_of
from tests.clients.collector import Collector, collector
from tests.integration.core.gunicorn import Core, ask, core
from tests.integration.core.people import ADMIN, BASE
from tests.servers import free_port, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Database

CLIENT: Final = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=False)
JSON: Final = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as started:
        yield started


@pytest.fixture(scope="module")
def traced(core_database: Database, traces: Collector) -> Iterator[Core]:
    with core(core_database, workers=2, variables={"BREAKWATER_TRACES_ENDPOINT": traces.url}) as started:
        yield started


def awaited(traces: Collector, request_id: str, number: int = 1) -> None:
    trace = trace_id_of(request_id)
    wait_for(lambda: len(traces.of(trace)) >= number, seconds=10, what=f"{number} spans of {request_id}")


def test_a_request_is_a_span_by_its_route_and_its_answer(traced: Core, traces: Collector) -> None:
    path = f"{BASE}/projects/nobody-s/repositories?page=1&secret=hidden"
    answer, _ = ask(traced.socket, "GET", path, {"X-Request-Id": "mine", "X-Forwarded-For": "192.0.2.7"})
    assert answer.status == 401
    awaited(traces, "mine")
    [span] = traces.of(trace_id_of("mine"))
    assert (span.part, span.kind, span.parent, span.failed) == ("core", "server", "", False)
    assert span.name == f"GET {BASE}/projects/{{project}}/repositories"
    assert span.attributes["http.route"] == f"{BASE}/projects/{{project}}/repositories"
    assert span.attributes["http.response.status_code"] == 401
    assert span.attributes["url.path"] == f"{BASE}/projects/nobody-s/repositories"
    assert span.attributes["client.address"] == "192.0.2.7"
    assert "hidden" not in json.dumps(span.attributes)


def test_a_path_that_a_client_makes_up_names_no_span(traced: Core, traces: Collector) -> None:
    ask(traced.socket, "BREW", "/no/such/" + "x" * 2000, {"X-Request-Id": "made-up"})
    awaited(traces, "made-up")
    [span] = traces.of(trace_id_of("made-up"))
    assert span.name == "_OTHER"
    assert len(span.attributes["url.path"]) == 256


def test_requests_at_once_are_told_apart(traced: Core, traces: Collector) -> None:
    names = [f"at-once-{number}" for number in range(40)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: ask(traced.socket, "GET", f"{BASE}/projects", {"X-Request-Id": name}), names))
    for name in names:
        awaited(traces, name)
        [span] = traces.of(trace_id_of(name))
        assert span.attributes["breakwater.request_id"] == name
    workers = {span.resource["service.instance.id"] for span in traces.spans}
    assert len(workers) == 2


def test_an_event_belongs_to_the_trace_of_the_request_and_keeps_nothing_of_the_client_s_words(
    traced: Core, traces: Collector, core_database: Database
) -> None:
    body = json.dumps({"project_name": "traced"}).encode()
    headers = {**ADMIN.headers, **JSON, "traceparent": CLIENT.traceparent, "tracestate": "a=b", "X-Request-Id": "evt"}
    assert ask(traced.socket, "POST", f"{BASE}/projects", headers, body)[0].status == 201
    wait_for(lambda: bool(traces.of(CLIENT.trace_id)), seconds=10, what="the span")
    [span] = traces.of(CLIENT.trace_id)
    assert span.parent == CLIENT.span_id
    with core_database.superuser() as connection:
        row = connection.execute(
            "SELECT body ->> 'traceparent' FROM events.outbox WHERE type = 'breakwater.project.created.v1' "
            "ORDER BY id DESC LIMIT 1"
        ).fetchone()
    assert row == (TraceContext(CLIENT.trace_id, span.id, sampled=True).traceparent,)


def test_what_a_page_asks_of_the_api_is_a_part_of_the_page(traced: Core, traces: Collector) -> None:
    assert ask(traced.socket, "GET", "/", {**ADMIN.headers, "X-Request-Id": "page"})[0].status == 200
    awaited(traces, "page")
    assert [span.name for span in traces.of(trace_id_of("page")) if span.kind == "server"] == ["GET /"]


def test_a_part_s_own_request_that_is_not_to_be_kept_is_not(traced: Core, traces: Collector) -> None:
    ours = TraceContext("1" * 32, "2" * 16, sampled=False)
    ask(traced.socket, "GET", f"{BASE}/projects", {"traceparent": ours.traceparent})
    ask(traced.socket, "GET", f"{BASE}/projects", {"X-Request-Id": "after-ours"})
    awaited(traces, "after-ours")
    assert traces.of(ours.trace_id) == []


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics", f"{BASE}/ping", f"{BASE}/health"])
def test_what_is_asked_all_the_time_is_not_traced(traced: Core, traces: Collector, path: str) -> None:
    ask(traced.socket, "GET", path, {"X-Request-Id": f"watch{path.replace('/', '-')}"})
    ask(traced.socket, "GET", f"{BASE}/projects", {"X-Request-Id": f"after{path.replace('/', '-')}"})
    awaited(traces, f"after{path.replace('/', '-')}")
    assert traces.of(trace_id_of(f"watch{path.replace('/', '-')}")) == []


def test_a_line_of_the_log_leads_to_the_trace(traced: Core) -> None:
    ask(traced.socket, "GET", f"{BASE}/projects", {"X-Request-Id": "logged", "traceparent": CLIENT.traceparent})
    lines = [json.loads(line) for line in traced.log.read_text().splitlines() if line.startswith("{")]
    [line] = [line for line in lines if line.get("request_id") == "logged"]
    assert line["trace_id"] == CLIENT.trace_id


def test_a_mount_without_a_collector_passes_on_what_a_client_says_and_logs_no_trace(core_database: Database) -> None:
    with core(core_database) as plain:
        ask(plain.socket, "GET", f"{BASE}/projects", {"X-Request-Id": "plain", "traceparent": CLIENT.traceparent})
        [line] = [line for line in plain.log.read_text().splitlines() if '"plain"' in line]
    assert "trace_id" not in line


def test_a_mount_whose_collector_is_dead_answers_and_ends_as_ever(core_database: Database) -> None:
    dead = {"BREAKWATER_TRACES_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with core(core_database, variables=dead) as mount:
        for _ in range(50):
            assert ask(mount.socket, "GET", f"{BASE}/projects")[0].status == 200
