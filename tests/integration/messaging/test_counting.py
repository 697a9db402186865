"""What a consumer counts of its work, and how far it says that it is."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

from shared.messaging.publish import Outgoing
from shared.messaging.topology import EVENTS
from tests.integration.broker import eventually
from tests.integration.messaging.conftest import Bench, message
from tests.integration.told import silent_for, told


def numbered(project: str, sequence: int) -> Outgoing:
    """An event as the relay publishes it."""
    _, outgoing = message(project)
    body = json.loads(outgoing.body) | {"id": str(uuid4()), "sequence": str(sequence)}
    return replace(outgoing, body=json.dumps(body).encode())


def test_a_consumer_counts_what_it_has_done_put_off_and_buried(bench: Bench) -> None:
    with bench.recorder() as process:
        bench.publish(*["p"] * 5)
        bench.publish_raw(Outgoing(exchange=EVENTS, routing_key="artifact.pushed.p", body=b"no json"))
        eventually(lambda: len(bench.effects()), 5)
        eventually(lambda: bench.rabbit.depth("audit.dead-letters"), 1)
        bench.publish("flaky")  # in a batch of its own: of one that fails with others the first failure is the batch's
        eventually(lambda: len(bench.effects()), 6, seconds=60)
        assert process.terminate() == 0
    figures = told(bench.database, "audit")
    assert figures["events_consumed", "done"] == 6
    assert figures["events_consumed", "again"] == 4
    assert figures["events_consumed", "dead"] == 1
    counted = sum(value for key, value in figures.items() if key[0] == "event_batch_seconds" and key[1] != "sum")
    assert 1 <= counted <= 11
    assert figures["event_batch_seconds", "sum"] > 0


def test_a_consumer_tells_the_highest_number_that_it_has_settled(bench: Bench) -> None:
    with bench.recorder() as process:
        bench.publish_raw(*(numbered("p", sequence) for sequence in (7, 9, 8)))
        eventually(lambda: len(bench.effects()), 3)
        bench.publish_raw(numbered("p", 3))  # one that was put off, say
        eventually(lambda: len(bench.effects()), 4)
        assert process.terminate() == 0
    assert told(bench.database, "audit")["event_sequence_handled",] == 9


def test_a_consumer_without_work_tells_only_that_it_is_there(bench: Bench) -> None:
    with bench.recorder() as process:
        assert process.terminate() == 0
    assert told(bench.database, "audit") == {}
    assert silent_for(bench.database, "audit") is not None


def test_a_broker_that_goes_away_is_counted(bench: Bench) -> None:
    with bench.recorder() as process:
        bench.rabbit.rabbit.control("close_all_connections", "a test")
        process.has_logged("broker_lost")
        process.has_logged("consuming", times=2)
        assert process.terminate() == 0
    assert told(bench.database, "audit")["interruptions", "consume"] >= 1
