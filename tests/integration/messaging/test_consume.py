"""The consumer extension in a real process, on a real broker and database: batches, retries, dead letters, deaths."""

from __future__ import annotations

import json
import time

from compose.local import asking
from shared.messaging.connection import connected
from shared.messaging.consume import BEGIN_SECONDS, PACE_SECONDS
from shared.messaging.depths import queue_depth
from shared.messaging.publish import Outgoing
from shared.messaging.topology import AUDIT, EVENTS
from tests.integration.broker import eventually, running
from tests.integration.messaging.conftest import RECORDER, Bench, message
from tests.integration.messaging.services import SECRET
from tests.servers import free_port, wait_for


def test_events_are_handled_once_in_order_and_in_batches(bench: Bench) -> None:
    ids = bench.publish(*["p"] * 300)
    with bench.recorder():
        bench.await_effects(*ids)
    assert bench.effects() == ids
    sizes = [row[0] for row in bench.rows("SELECT size FROM public.effects")]
    assert max(sizes) <= 20
    assert sum(sizes) / len(sizes) > 10
    assert bench.rabbit.depth("audit") == 0


def test_a_service_calls_itself_ready_once_it_consumes(bench: Bench) -> None:
    with bench.recorder() as process:
        process.has_logged("started")
        (consuming,), (started,) = process.lines("consuming"), process.lines("started")
        assert consuming["timestamp"] <= started["timestamp"]
        with connected(bench.rabbit.settings("audit")) as connection:
            assert queue_depth(connection.channel(), AUDIT).consumers == 1


def test_a_service_whose_broker_is_away_starts_all_the_same(bench: Bench) -> None:
    settings = bench.database.settings("audit", amqp_port=free_port())
    with running(RECORDER, settings, bench.home / "recorder") as process:
        process.has_logged("started", seconds=BEGIN_SECONDS + 15)
        assert not process.lines("consuming")


def test_a_lonely_event_does_not_wait_for_a_batch_to_fill(bench: Bench) -> None:
    with bench.recorder():
        for count in range(1, 6):
            begun = time.monotonic()
            bench.publish("p")
            wait_for(lambda count=count: len(bench.effects()) == count, seconds=5, what="the effect")  # type: ignore[misc]
            assert time.monotonic() - begun < 1


def test_a_trickle_is_taken_in_batches_that_begin_a_pace_apart(bench: Bench) -> None:
    with bench.recorder():
        begun = time.monotonic()
        ids = [event_id for _ in range(60) for event_id in bench.publish("p")]
        bench.await_effects(*ids)
        seconds = time.monotonic() - begun
    batches = sum(1 / size for (size,) in bench.rows("SELECT size FROM public.effects"))
    assert batches <= seconds / PACE_SECONDS + 2


def test_an_unreadable_message_is_dead_lettered_at_once_with_its_reason(bench: Bench) -> None:
    bench.publish_raw(
        Outgoing(exchange=EVENTS, routing_key="artifact.pushed.p", body=b"\xff{not json"),
        Outgoing(exchange=EVENTS, routing_key="artifact.pushed.p", body=json.dumps({"type": "unheard.of"}).encode()),
        _of_the_year_one(),
    )
    ids = bench.publish("p")
    with bench.recorder():
        bench.await_effects(*ids)
        eventually(lambda: bench.rabbit.depth("audit.dead-letters"), 3)
    first, second, _third = bench.dead_letters()
    assert first["x-breakwater-error-code"] == second["x-breakwater-error-code"] == "INVALID_EVENT"
    assert first["x-breakwater-error"] == "the event is not JSON"
    assert "unheard.of" in second["x-breakwater-error"]
    assert first["x-breakwater-routing-key"] == "artifact.pushed.p"


def _of_the_year_one() -> Outgoing:
    """An event whose time cannot be told in UTC."""
    _, outgoing = message("p")
    body = json.loads(outgoing.body) | {"time": "0001-01-01T00:00:00+14:00"}
    return Outgoing(exchange=EVENTS, routing_key=outgoing.routing_key, body=json.dumps(body).encode())


def test_a_poison_event_is_retried_then_dead_lettered_and_its_neighbours_go_on(bench: Bench) -> None:
    ids = bench.publish("p", "p", "poison", "p", "refused", "p")
    good = [ids[place] for place in (0, 1, 3, 5)]
    with bench.recorder() as process:
        bench.await_effects(*good, seconds=10)
        begun = time.monotonic()
        eventually(lambda: bench.rabbit.depth("audit.dead-letters"), 2, seconds=30)
        assert time.monotonic() - begun > 0.9, "the first retry waits a second"
        letters = bench.dead_letters()
        failures = process.lines("event_failed")
    assert SECRET not in str(letters)
    reasons = {(letter["x-breakwater-error-code"], letter["x-breakwater-error"]) for letter in letters}
    assert reasons == {
        ("ValueError", "the service failed on this event: its log tells more"),
        ("UNPROCESSABLE_ENTITY", "this event is not for us"),
    }
    assert {letter["x-breakwater-attempts"] for letter in letters} == {5}
    assert {letter["x-breakwater-routing-key"] for letter in letters} == {
        "artifact.pushed.poison",
        "artifact.pushed.refused",
    }
    assert len(failures) == 10
    assert bench.effects() == good
    assert bench.rabbit.depth("audit") == 0


def test_an_event_that_succeeds_in_the_end_has_its_effect_once(bench: Bench) -> None:
    ids = bench.publish("flaky")
    with bench.recorder():
        bench.await_effects(*ids, seconds=30)
    assert bench.dead_letters() == []


def test_killed_while_a_batch_is_worked_on_each_effect_comes_once(bench: Bench) -> None:
    ids = bench.publish("p", "p", "slow", "p")
    with bench.recorder("first") as process:
        wait_for(bench.database.server.home.joinpath("slow-begun").exists, seconds=10, what="the batch is begun")
        process.kill()
    assert bench.effects() == []
    with bench.recorder("second"):
        bench.await_effects(*ids)
    assert bench.dead_letters() == []


def test_killed_again_and_again_nothing_is_lost_and_nothing_twice(bench: Bench) -> None:
    ids = bench.publish(*["p"] * 500)
    for round_ in range(3):
        with bench.recorder(f"round{round_}") as process:
            target = len(bench.effects()) + 60
            wait_for(lambda target=target: len(bench.effects()) >= target, seconds=20, what="progress")  # type: ignore[misc]
            process.kill()
    with bench.recorder("last"):
        bench.await_effects(*ids)


def test_sigterm_finishes_the_batch_and_gives_the_rest_back(bench: Bench) -> None:
    slow = bench.publish("slow")
    with bench.recorder() as process:
        wait_for(bench.database.server.home.joinpath("slow-begun").exists, seconds=10, what="the batch is begun")
        rest = bench.publish("p", "p")
        begun = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - begun < 8
    assert bench.effects() == slow
    eventually(lambda: bench.rabbit.depth("audit"), len(rest))


def test_an_idle_consumer_ends_at_once(bench: Bench) -> None:
    with bench.recorder() as process:
        begun = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - begun < 3


def test_the_broker_away_is_waited_out_and_sigterm_is_heard_meanwhile(bench: Bench) -> None:
    with bench.recorder("stays") as stays, bench.recorder("goes") as goes:
        first = bench.publish("p")
        bench.await_effects(*first)
        bench.rabbit.rabbit.control("stop_app")
        try:
            for process in (stays, goes):
                process.has_logged("broker_lost", times=2)
            begun = time.monotonic()
            assert goes.terminate() == 0
            assert time.monotonic() - begun < 5
        finally:
            bench.rabbit.rabbit.control("start_app")
        stays.has_logged("consuming", times=2)
        second = bench.publish("p")
        bench.await_effects(*first, *second)
        assert stays.alive


def test_a_queue_that_was_deleted_is_consumed_from_as_soon_as_it_is_back(bench: Bench) -> None:
    with bench.recorder() as process:
        found_at = bench.database.server.run, "audit", process.pid
        eventually(lambda: asking.lacks(*found_at), [])
        bench.rabbit.rabbit.control("delete_queue", "audit")
        try:
            process.has_logged("broker_lost", times=2)
            assert asking.is_alive(*found_at)
            assert asking.lacks(*found_at) == ["broker"]
        finally:
            bench.rabbit.restore()
        ids = bench.publish("p")
        bench.await_effects(*ids)
        assert asking.lacks(*found_at) == []


def test_a_database_outage_burns_no_attempts(bench: Bench) -> None:
    name = bench.database.name
    with bench.recorder() as process:
        with bench.database.server.connect() as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            ids = bench.publish(*["p"] * 30)
            process.has_logged("waiting_for_outage", times=6)
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        bench.await_effects(*ids)
        assert process.lines("event_failed") == []
    assert bench.dead_letters() == []


def test_sigterm_is_heard_while_an_outage_is_waited_out(bench: Bench) -> None:
    ids = bench.publish("away")
    with bench.recorder() as process:
        process.has_logged("waiting_for_outage", times=3)
        begun = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - begun < 4
    assert bench.effects() == []
    eventually(lambda: bench.rabbit.depth("audit"), len(ids))


def test_an_outage_of_one_event_alone_holds_up_nobody(bench: Bench) -> None:
    ids = bench.publish("p", "away", "p")
    with bench.recorder() as process:
        bench.await_effects(ids[0], ids[2])
        process.has_logged("event_failed")
        more = bench.publish("p")
        bench.await_effects(ids[0], ids[2], *more)


def test_a_lock_that_lasts_is_no_outage(bench: Bench) -> None:
    """A statement time-out comes as Unavailable, and still is the event's own failure."""
    held, free = bench.publish("p", "p")
    with bench.database.superuser() as other, other.transaction(force_rollback=True):
        other.execute("INSERT INTO public.effects (event_id) VALUES (%s)", (held,))
        with bench.recorder() as process:
            eventually(bench.effects, [free], seconds=40)
            process.has_logged("event_failed")
    with bench.recorder("again"):
        bench.await_effects(held, free)


def test_no_more_is_held_than_three_batches(bench: Bench) -> None:
    bench.publish("slow", *["p"] * 200)
    with bench.recorder():
        wait_for(bench.database.server.home.joinpath("slow-begun").exists, seconds=10, what="the batch is begun")
        assert bench.rabbit.depth("audit") >= 201 - 60
