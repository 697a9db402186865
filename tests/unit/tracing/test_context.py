"""Traceparents as W3C Trace Context has them, read strictly; and the trace that a request's id names."""

from __future__ import annotations

import hashlib

import pytest

from shared.tracing.context import TraceContext, new_span_id, trace_id_of, well_formed

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-00-what the future will bring", False),
    ],
)
def test_a_traceparent_is_read_also_of_a_later_version(text: str, *, sampled: bool) -> None:
    assert TraceContext.read(text) == TraceContext(TRACE, SPAN, sampled)
    assert well_formed(text) == f"00-{TRACE}-{SPAN}-0{int(sampled)}"


@pytest.mark.parametrize(
    "text",
    [
        None, "", "00", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n", f" 00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-0g", f"cc-{TRACE}-{SPAN}-01.more",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 300}", f"00-{TRACE[:-1]}٣-{SPAN}-01",
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_none(text: str | None) -> None:
    assert TraceContext.read(text) is None
    assert well_formed(text) == ""


def test_the_proxy_s_request_id_is_the_trace_itself() -> None:
    assert trace_id_of(TRACE) == TRACE


@pytest.mark.parametrize("request_id", ["build-17", TRACE.upper(), "0" * 32, TRACE + "0", "r.1_x"])
def test_of_any_other_request_id_it_is_the_first_half_of_the_sha256(request_id: str) -> None:
    assert trace_id_of(request_id) == hashlib.sha256(request_id.encode()).hexdigest()[:32]


def test_a_child_is_in_the_same_trace_and_as_kept_as_its_parent() -> None:
    for sampled in (True, False):
        child = TraceContext(TRACE, SPAN, sampled).child()
        assert (child.trace_id, child.sampled) == (TRACE, sampled)
        assert child.span_id != SPAN
    assert len({new_span_id() for _ in range(1000)}) == 1000
