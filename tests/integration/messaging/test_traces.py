"""A consumer's handling of events belongs to their traces: also when it fails, is tried again, and is given up."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from shared.messaging.publish import Outgoing
from shared.tracing.context import TraceContext, new_span_id
from tests.clients.collector import Collector, Spanned, collector
from tests.integration.broker import Process, eventually, running
from tests.integration.messaging.conftest import RECORDER, Bench, message
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def traces() -> Iterator[Collector]:
    with collector() as started:
        yield started


@contextmanager
def recorder(bench: Bench, url: str) -> Iterator[Process]:
    settings = bench.database.settings("audit", amqp_port=bench.rabbit.port)
    with running(RECORDER, settings, bench.home / "traced", BREAKWATER_TRACES_ENDPOINT=url) as process:
        process.has_logged("consuming")
        yield process


def published(project: str, *, trace: str = TRACE, sampled: bool = True) -> tuple[Outgoing, TraceContext]:
    """An event as the relay publishes it, and the span of that."""
    context = TraceContext(trace, new_span_id(), sampled)
    _, outgoing = message(project)
    headers = {"application_headers": {"traceparent": context.traceparent}}
    return replace(outgoing, properties=outgoing.properties | headers), context


def processed(traces: Collector) -> list[Spanned]:
    return traces.named("process audit")


def test_each_event_of_a_batch_has_a_span_below_its_own_publication(bench: Bench, traces: Collector) -> None:
    made = [published("p", trace=f"{number:032x}") for number in range(1, 6)]
    bench.publish_raw(*(outgoing for outgoing, _ in made))
    with recorder(bench, traces.url) as process:
        eventually(lambda: len(bench.effects()), 5)
        assert process.terminate() == 0
    spans = processed(traces)
    assert {(span.trace, span.parent) for span in spans} == {(each.trace_id, each.span_id) for _, each in made}
    assert {(span.part, span.kind, span.failed) for span in spans} == {("audit", "consumer", False)}
    told: dict[str, Any] = spans[0].attributes
    assert told["messaging.system"] == "rabbitmq"
    assert told["messaging.operation.type"] == "process"
    assert told["messaging.destination.name"] == "audit"
    assert told["cloudevents.event_type"] == "breakwater.artifact.pushed.v1"
    assert told["messaging.message.id"] == told["cloudevents.event_id"]


def test_every_attempt_is_in_the_trace_up_to_the_dead_letter_and_beyond(bench: Bench, traces: Collector) -> None:
    outgoing, context = published("poison")
    with recorder(bench, traces.url) as process:
        bench.publish_raw(outgoing)
        eventually(lambda: bench.rabbit.depth("audit.dead-letters"), 1, seconds=60)
        assert process.terminate() == 0
    spans = processed(traces)
    assert {span.parent for span in spans} == {context.span_id}
    assert [span.attributes["breakwater.attempt"] for span in spans] == [1, 2, 3, 4, 5]
    assert {(span.failed, span.attributes["error.type"]) for span in spans} == {(True, "ValueError")}
    assert "hunter2" not in str(spans)
    (letter,) = bench.dead_letters()
    assert letter["traceparent"] == context.traceparent


def test_an_event_that_is_not_to_be_kept_or_has_no_trace_leaves_none(bench: Bench, traces: Collector) -> None:
    unsampled, _ = published("p", sampled=False)
    _, untraced = message("p")
    nonsense = replace(untraced, properties=untraced.properties | {"application_headers": {"traceparent": "x" * 900}})
    number = replace(untraced, properties=untraced.properties | {"application_headers": {"traceparent": 7}})
    kept, context = published("p")
    with recorder(bench, traces.url) as process:
        bench.publish_raw(unsampled, untraced, nonsense, number, kept)
        eventually(lambda: len(bench.effects()), 3)
        assert process.terminate() == 0
    assert [span.parent for span in processed(traces)] == [context.span_id]


@pytest.mark.parametrize("hangs", [True, False])
def test_a_collector_that_is_dead_or_hangs_holds_no_event_up_and_no_end(
    bench: Bench, traces: Collector, *, hangs: bool
) -> None:
    traces.hangs = True
    url = traces.url if hangs else f"http://127.0.0.1:{free_port()}"
    with recorder(bench, url) as process:
        for _ in range(20):
            bench.publish_raw(*(published("p")[0] for _ in range(20)))
        eventually(lambda: len(bench.effects()), 400, seconds=20)
        assert process.terminate(seconds=10) == 0
        assert process.lines("traces_not_sent")
    assert bench.rabbit.depth("audit") == 0
