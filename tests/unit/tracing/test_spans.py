"""Spans: whose trace they belong to, which are kept, and what is written on them."""

from __future__ import annotations

import pytest

from gateway.core.middleware.route import route_of
from shared.tracing.context import TraceContext, trace_id_of
from shared.tracing.current import at_hand, calling, tracer, within
from shared.tracing.spans import LONGEST, Kind, Span, Tracer

CLIENT = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)


def traced(*, ratio: float = 1) -> tuple[Tracer, list[Span]]:
    kept: list[Span] = []
    return Tracer(kept.append, ratio=ratio), kept


def test_a_request_s_trace_is_known_by_its_id() -> None:
    here, kept = traced()
    here.request("GET /x", "build-17", None, {}).end({"n": 1})
    [span] = kept
    assert (span.context.trace_id, span.parent) == (trace_id_of("build-17"), None)
    assert span.attributes == {"breakwater.request_id": "build-17", "n": 1}
    assert span.ended >= span.begun > 0


def test_a_client_s_trace_goes_on_below_his_span() -> None:
    here, _ = traced()
    span = here.request("GET /x", "build-17", CLIENT.traceparent, {})
    assert (span.context.trace_id, span.parent) == (CLIENT.trace_id, CLIENT.span_id)


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize(("ratio", "number"), [(0.0, 0), (1.0, 1)])
def test_nobody_outside_decides_what_is_kept(ratio: float, number: int, *, sampled: bool) -> None:
    here, kept = traced(ratio=ratio)
    client = TraceContext(CLIENT.trace_id, CLIENT.span_id, sampled)
    for request_id in (CLIENT.trace_id, "0" * 31 + "1", "f" * 32):
        for header in (client.traceparent, None):
            kept.clear()
            span = here.request("GET /x", request_id, header, {})
            below = here.below(span.context, "work", Kind.INTERNAL, {})
            for each in (below, span):
                each.end()
            assert len(kept) == 2 * number
            assert (below.context.trace_id, below.parent) == (span.context.trace_id, span.context.span_id)


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_what_has_not_passed_the_proxy_is_our_own_and_believed(ratio: float, *, sampled: bool) -> None:
    here, kept = traced(ratio=ratio)
    ours = TraceContext(CLIENT.trace_id, CLIENT.span_id, sampled)
    here.request("PUT /x", None, ours.traceparent, {}).end()
    assert [span.parent for span in kept] == [CLIENT.span_id] * sampled


def test_about_as_many_are_kept_as_is_wanted_whatever_ids_they_have() -> None:
    here, kept = traced(ratio=0.25)
    for _ in range(4000):
        here.request("GET /x", CLIENT.trace_id, CLIENT.traceparent, {}).end()
    assert 800 < len(kept) < 1200


def test_what_was_not_traced_begins_nothing() -> None:
    here, _ = traced()
    assert here.after("", "work", Kind.INTERNAL, {}) is None
    assert here.after("nonsense", "work", Kind.INTERNAL, {}) is None
    found = here.after(CLIENT.traceparent, "work", Kind.INTERNAL, {})
    assert found is not None
    assert found.parent == CLIENT.span_id


def test_a_span_that_finds_its_trace_out_late_keeps_its_own_id() -> None:
    here, kept = traced()
    span = here.root("create event", Kind.PRODUCER, {}, request_id="r")
    own = span.context.span_id
    span.follow(CLIENT)
    span.end()
    assert (span.context, span.parent) == (TraceContext(CLIENT.trace_id, own, sampled=True), CLIENT.span_id)
    span.follow(TraceContext(CLIENT.trace_id, CLIENT.span_id, sampled=False))
    span.end()
    assert len(kept) == 1


def test_a_long_request_id_is_cut() -> None:
    here, _ = traced()
    assert len(str(here.request("", "x" * 5000, None, {}).attributes["breakwater.request_id"])) == LONGEST


def test_without_a_tracer_a_call_carries_nothing() -> None:
    assert tracer() is None
    here, kept = traced()
    with within(here.request("", "r", None, {})), calling("GET", "http://h/p", "h", 80) as call:
        assert call.headers == {}
    assert at_hand() is None
    assert kept == []


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v2/library/a/b/manifests/v1", "/v2/{name}/manifests/{reference}"),
        ("/v2/library/a/tags/list", "/v2/{name}/tags/list"),
        ("/v2/library/a/referrers/sha256:1", "/v2/{name}/referrers/{digest}"),
        ("/v2/library/a/tags/manifests/v1", "/v2/{name}/manifests/{reference}"),
        ("/v2/", ""),
        ("/whatever/a/client/makes/up", ""),
        ("/metrics", None),
        ("/healthz", None),
        ("/api/v2.0/health", None),
    ],
)
def test_a_route_is_the_same_for_all_of_a_kind(path: str, route: str | None) -> None:
    assert route_of(path) == route
