"""From the notification to the broker in one trace: the gate's where there is one, else that of the request's id."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from shared.tracing.context import TraceContext, trace_id_of
from tests.clients.collector import Collector, collector
from tests.clients.notifications import event
from tests.integration.broker import Broker, eventually, running
from tests.integration.webhook.conftest import INTAKE, RELAY, Intake, relay_settings
from tests.integration.webhook.relaying import head
from tests.integration.webhook.test_expectations import expect, push
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Database

RID: Final = "0af7651916cd43dd8448eb211c80319c"
GATE: Final = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)


@pytest.fixture
def traces() -> Iterator[Collector]:
    with collector() as started:
        yield started


@contextmanager
def traced_intake(database: Database, log: Path, url: str, ratio: str = "1") -> Iterator[Intake]:
    settings = database.settings("intake", intake_port=free_port())
    token = settings.secrets / "intake" / "notification-token"
    token.parent.mkdir(parents=True, exist_ok=True)
    if not token.exists():
        token.write_text("a notification's token")
    variables = {"BREAKWATER_TRACES_ENDPOINT": url, "BREAKWATER_TRACES_RATIO": ratio}
    with running(INTAKE, settings, log, **variables) as process:
        process.has_logged("started")
        intake = Intake(settings.intake_port, token.read_text(), process, database)
        yield intake
        intake.close()
        process.terminate()


def pulled(rid: str) -> dict[str, Any]:
    return event("pull", "library/app", user_agent=f"docker/28 rid/{rid}")


def expected_in(intake: Intake, traceparent: str) -> str:
    expectation = expect(intake)
    intake.rows("UPDATE events.expected SET traceparent = %s WHERE id = %s RETURNING id", traceparent, expectation)
    return expectation


def told(intake: Intake) -> list[TraceContext | None]:
    return [TraceContext.read(body.get("traceparent")) for body in intake.outbox()]


@pytest.mark.parametrize("rid", [RID, "build-17"])
def test_a_pull_begins_the_trace_of_its_request(
    database: Database, tmp_path: Path, traces: Collector, rid: str
) -> None:
    with traced_intake(database, tmp_path / "log", traces.url) as intake:
        intake.send(pulled(rid))
        [context] = told(intake)
    [span] = traces.spans
    assert (span.part, span.name, span.kind, span.parent) == ("intake", "create event", "producer", "")
    assert context == TraceContext(trace_id_of(rid), span.id, sampled=True)
    assert span.trace == trace_id_of(rid)
    assert span.attributes["breakwater.request_id"] == rid


def test_a_push_goes_on_with_the_gate_s_trace_whatever_its_request_is_called(
    database: Database, tmp_path: Path, traces: Collector
) -> None:
    with traced_intake(database, tmp_path / "log", traces.url) as intake:
        notification = push(expected_in(intake, GATE.traceparent))
        intake.send(notification)
        intake.send(notification)  # the registry may repeat it: that is no event, and no span
        [context] = told(intake)
    [span] = traces.spans
    assert (span.trace, span.parent) == (GATE.trace_id, GATE.span_id)
    assert context == TraceContext(GATE.trace_id, span.id, sampled=True)


def test_what_the_gate_does_not_keep_nobody_keeps(database: Database, tmp_path: Path, traces: Collector) -> None:
    gate = TraceContext(GATE.trace_id, GATE.span_id, sampled=False)
    with traced_intake(database, tmp_path / "log", traces.url) as intake:
        intake.send(push(expected_in(intake, gate.traceparent)))
        [context] = told(intake)
    assert context is not None
    assert (context.trace_id, context.sampled) == (GATE.trace_id, False)
    assert traces.spans == []


def test_what_the_gate_keeps_is_kept_whatever_chance_says_here(
    database: Database, tmp_path: Path, traces: Collector
) -> None:
    with traced_intake(database, tmp_path / "log", traces.url, ratio="0") as intake:
        intake.send(push(expected_in(intake, GATE.traceparent)))
        intake.send(pulled(RID))
    assert [span.trace for span in traces.spans] == [GATE.trace_id]


@pytest.mark.parametrize("nonsense", ["", "x" * 5000, "00-0-0-0", "'; DROP TABLE events.outbox --"])
def test_what_is_no_traceparent_ends_at_the_gate(intake: Intake, nonsense: str) -> None:
    status, _ = intake.send(push(expected_in(intake, nonsense)))
    assert status == 200
    [body] = intake.outbox()
    assert "traceparent" not in body


def test_without_traces_a_push_tells_what_its_client_has_sent(intake: Intake) -> None:
    intake.send(push(expected_in(intake, GATE.traceparent)), pulled(RID))
    assert told(intake) == [GATE, None]


def test_a_collector_that_hangs_holds_no_notification_up(
    database: Database, tmp_path: Path, traces: Collector
) -> None:
    traces.hangs = True
    with traced_intake(database, tmp_path / "log", traces.url) as intake:
        for number in range(50):
            assert intake.send(pulled(f"r{number}"))[0] == 200
        eventually(lambda: traces.requests > 0, expected=True)
        assert intake.send(pulled(RID))[0] == 200
        assert intake.process.terminate(seconds=10) == 0
    assert len(intake.outbox()) == 51


def test_the_relay_publishes_below_what_made_the_event_and_leaves_its_body_as_it_is(
    database: Database, rabbit: Broker, tmp_path: Path, traces: Collector
) -> None:
    with traced_intake(database, tmp_path / "intake", traces.url) as intake:
        expected = expected_in(intake, GATE.traceparent)
        intake.rows("UPDATE events.expected SET answered_at = now() WHERE id = %s RETURNING id", expected)
        intake.send(push(expected))
    [made] = traces.spans
    with running(
        RELAY, relay_settings(database, rabbit), tmp_path / "relay", BREAKWATER_TRACES_ENDPOINT=traces.url
    ) as process:
        eventually(lambda: head(database), (1, 1))
        assert process.terminate() == 0
    [published] = traces.named("publish breakwater.events")
    assert (published.part, published.kind) == ("relay", "producer")
    assert (published.trace, published.parent) == (GATE.trace_id, made.id)
    assert published.attributes["messaging.rabbitmq.destination.routing_key"] == "artifact.pushed.library"
    taken = rabbit.take("audit")
    header = TraceContext(GATE.trace_id, published.id, sampled=True).traceparent
    assert taken.properties["application_headers"]["traceparent"] == header
    inside = TraceContext(GATE.trace_id, made.id, sampled=True).traceparent
    assert json.loads(taken.body)["traceparent"] == inside


def test_without_traces_the_relay_adds_no_header(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO events.outbox (event_id, type, routing_key, project, body) SELECT gen_random_uuid(), "
            "'breakwater.artifact.pushed.v1', 'artifact.pushed.p', 'p', jsonb_build_object('traceparent', %s::text)",
            (GATE.traceparent,),
        )
    with running(RELAY, relay_settings(database, rabbit), tmp_path / "relay"):
        eventually(lambda: head(database), (1, 1))
    assert "traceparent" not in rabbit.take("audit").properties.get("application_headers", {})


