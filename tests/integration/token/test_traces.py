"""Spans of the token mount: its workers are forked from a process that has loaded all; nothing secret is on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from shared.tracing.context import TraceContext, trace_id_of
from tests import factories
from tests.clients.collector import Collector, collector
from tests.integration.token.mount import Mount, basic, token_mount
from tests.servers import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from shared.settings import Settings
    from tests.integration.conftest import Database

CLIENT: Final = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=False)
LOGIN: Final = "/auth/token?service=breakwater-registry"


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as started:
        yield started


@pytest.fixture(scope="module")
def traced(
    token_settings: Settings, token_database: Database, traces: Collector
) -> Iterator[Mount]:
    variables = {"BREAKWATER_TRACES_ENDPOINT": traces.url}
    with token_mount(token_settings, token_database, workers=2, variables=variables) as running:
        yield running


def awaited(traces: Collector, trace: str) -> None:
    wait_for(lambda: bool(traces.of(trace)), seconds=10, what=f"the span of {trace}")


def test_a_token_is_a_span_without_its_secrets(
    traced: Mount, traces: Collector, rows: psycopg.Connection[Any]
) -> None:
    name = "traced"
    factories.user(rows, name)
    answer = traced.send("GET", LOGIN, Authorization=basic(name), **{"X-Request-Id": "login"})
    assert answer.status == 200
    awaited(traces, trace_id_of("login"))
    [span] = traces.of(trace_id_of("login"))
    assert (span.part, span.name, span.kind, span.parent) == ("token", "GET /auth/token", "server", "")
    assert span.attributes["http.response.status_code"] == 200
    said = json.dumps(span.attributes)
    assert answer.token not in said
    assert factories.PASSWORD not in said
    assert basic(name).split()[1] not in said
    assert "breakwater-registry" not in said


def test_a_login_s_event_belongs_to_its_trace(
    traced: Mount, traces: Collector, rows: psycopg.Connection[Any]
) -> None:
    name = "told"
    factories.user(rows, name)
    sent = {"X-Request-Id": "event", "traceparent": CLIENT.traceparent}
    assert traced.send("GET", LOGIN, Authorization=basic(name), **sent).status == 200
    awaited(traces, CLIENT.trace_id)
    [span] = traces.of(CLIENT.trace_id)
    assert span.parent == CLIENT.span_id

    def told() -> list[str]:
        return [event["traceparent"] for event in traced.events("user.logged_in") if event["actor"] == name]

    wait_for(lambda: bool(told()), seconds=10, what="the event")
    assert told() == [TraceContext(CLIENT.trace_id, span.id, sampled=True).traceparent]


def test_both_workers_send_and_health_is_not_traced(traced: Mount, traces: Collector) -> None:
    for number in range(60):
        traced.send("GET", LOGIN, **{"X-Request-Id": f"n{number}", "Connection": "close"})
    awaited(traces, trace_id_of("n59"))
    wait_for(
        lambda: len({span.resource["service.instance.id"] for span in traces.spans}) == 2, seconds=10, what="both",
    )
    assert not [span for span in traces.spans if "health" in span.attributes["url.path"]]


def test_a_path_that_a_client_makes_up_names_no_span(traced: Mount, traces: Collector) -> None:
    assert traced.send("GET", "/auth/nothing", **{"X-Request-Id": "nothing"}).status == 404
    awaited(traces, trace_id_of("nothing"))
    assert [span.name for span in traces.of(trace_id_of("nothing"))] == ["GET"]
