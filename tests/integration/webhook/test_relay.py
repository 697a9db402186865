"""The relay: numbering under concurrent writers, publishing in order, and every way to die in between."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

from compose.local import asking
from services.webhook.commands import outbox
from services.webhook.service import AWAKE_SECONDS, COMMIT_SECONDS, POLL_SECONDS, PUBLISHING_LOCK
from shared.messaging.topology import EVENTS
from shared.postgres import connect
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.webhook.relaying import head, relay, rows, write, write_awaiting
from tests.servers import wait_for


def received(rabbit: Broker, queue: str = "audit") -> list[int]:
    """Take everything off a queue; the sequences in their order."""
    return [int(json.loads(message.body)["sequence"]) for message in rabbit.take_all(queue)]


def expect(connection: psycopg.Connection) -> UUID:
    """A push on its way that the registry has not answered."""
    expected = uuid4()
    connection.execute(
        "INSERT INTO events.expected (id, kind, repository, reference, actor, actor_kind) "
        "VALUES (%s, 'put', 'p/app', 'v1', 'alice', 'user')", (expected,),
    )  # fmt: skip
    return expected


def heard(connection: psycopg.Connection, seconds: float) -> int:
    """How many notifications come on the channel in that time."""
    return sum(1 for _ in connection.notifies(timeout=seconds))


def first_occurrences(sequences: list[int]) -> list[int]:
    return list(dict.fromkeys(sequences))


def test_concurrent_writers_get_consecutive_numbers_and_order(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    def writer() -> None:
        with connect(database.settings("core")) as connection:
            for size in range(1, 40):
                with connection.transaction():
                    write(connection, size % 3 + 1)
                    if size % 7 == 0:
                        time.sleep(0.01)  # commits late, with early ids

    with relay(database, rabbit, tmp_path / "log"):
        threads = [threading.Thread(target=writer) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = 6 * sum(size % 3 + 1 for size in range(1, 40))
        eventually(lambda: head(database), (total, total))
    numbers = [row[0] for row in rows(database, "SELECT sequence FROM events.log ORDER BY sequence")]
    assert numbers == list(range(1, total + 1))
    assert rows(database, "SELECT count(*) FROM events.outbox") == [(0,)]
    assert received(rabbit) == numbers


def test_the_number_is_put_into_the_envelope(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with relay(database, rabbit, tmp_path / "log"), connect(database.settings("core")) as writer:
        [event_id] = write(writer, 1)
        eventually(lambda: head(database), (1, 1))
    message = rabbit.take("audit")
    assert json.loads(message.body) == {"id": str(event_id), "sequence": "1"}
    assert message.properties["message_id"] == str(event_id)
    assert message.properties["content_type"] == "application/cloudevents+json"
    assert message.delivery_info["routing_key"] == "artifact.pushed.p"


def test_an_event_is_published_at_once(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
        process.has_logged("publishing")
        delays = []
        for number in range(1, 21):
            begun = time.monotonic()
            write(writer, 1)
            wait_for(lambda number=number: head(database)[1] >= number, seconds=5, what="published")  # type: ignore[misc]
            delays.append(time.monotonic() - begun)
        assert sorted(delays)[10] < 0.25, "woken by NOTIFY, not by polling"


def test_an_event_that_nothing_notifies_of_is_found_by_looking(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    """As behind a pooler that lets no NOTIFY through."""
    with database.superuser() as connection:
        connection.execute("ALTER TABLE events.outbox DISABLE TRIGGER notify")
    with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
        process.has_logged("publishing")
        write(writer, 3)
        eventually(lambda: head(database), (3, 3), seconds=5)


def test_an_event_of_a_push_waits_until_that_is_answered_and_holds_nobody_up(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
        process.has_logged("publishing")
        expected = expect(writer)
        write_awaiting(writer, expected)
        time.sleep(2 * POLL_SECONDS)
        assert head(database) == (0, 0)
        [passes] = write(writer, 1)
        eventually(lambda: head(database), (1, 1))
        assert rows(database, "SELECT event_id FROM events.log") == [(passes,)]
        begun = time.monotonic()
        writer.execute("UPDATE events.expected SET answered_at = now() WHERE id = %s", (expected,))
        eventually(lambda: head(database), (2, 2))
        assert time.monotonic() - begun < POLL_SECONDS, "it is looked for often while something is held"
    assert rows(database, "SELECT count(*) FROM events.outbox") == [(0,)]


def test_an_event_whose_push_is_never_answered_is_told_all_the_same(database: Database) -> None:
    with connect(database.settings("core")) as writer, connect(database.settings("relay")) as relaying:
        write_awaiting(writer, expect(writer))
        assert outbox.number(relaying, most=10) == (0, True)
        assert outbox.number(relaying, most=10, patience=0) == (1, False)
        write_awaiting(writer, uuid4())  # of a write that nobody knows any more
        assert outbox.number(relaying, most=10) == (1, False)
        assert outbox.number(relaying, most=10) == (0, False)


def test_numbering_goes_on_while_the_broker_is_down_and_then_each_event_arrives(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
        process.has_logged("publishing")
        found_at = database.server.run, "relay", process.pid
        eventually(lambda: asking.lacks(*found_at), [])
        rabbit.rabbit.control("stop_app")
        try:
            write(writer, 300)
            eventually(lambda: head(database)[0], 300)
            assert head(database)[1] == 0
            eventually(lambda: asking.lacks(*found_at), ["broker"])
        finally:
            rabbit.rabbit.control("start_app")
        eventually(lambda: head(database), (300, 300), seconds=40)
        assert asking.lacks(*found_at) == []
        assert process.alive
    assert first_occurrences(received(rabbit)) == list(range(1, 301))


def test_a_broker_that_takes_no_more_is_waited_for(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    """As when its disk is nearly full: it reads nothing from publishers, and does not hang up."""
    with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
        process.has_logged("publishing")
        rabbit.rabbit.control("set_disk_free_limit", "9999GB")
        try:
            write(writer, 100)
            eventually(lambda: head(database)[0], 100)
            time.sleep(1)
            assert head(database)[1] == 0
        finally:
            rabbit.rabbit.control("set_disk_free_limit", "50MB")
        eventually(lambda: head(database), (100, 100), seconds=60)
    assert first_occurrences(received(rabbit)) == list(range(1, 101))


def test_killed_in_the_middle_of_publishing_nothing_is_lost_and_order_is_kept(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    backlog, total, kills = 1_200, 0, 0
    with connect(database.settings("core")) as writer:
        while kills < 3:
            write(writer, backlog)
            total += backlog
            before = head(database)[1]
            with relay(database, rabbit, tmp_path / "log") as process:
                wait_for(lambda before=before: head(database)[1] > before, seconds=20, what="it moves on")  # type: ignore[misc]
                process.kill()
            if head(database)[1] < total:
                kills += 1
            else:
                backlog *= 2  # it was through before it was killed, on a machine as fast as that
    with relay(database, rabbit, tmp_path / "log"):
        eventually(lambda: head(database), (total, total), seconds=40)
    assert first_occurrences(received(rabbit)) == list(range(1, total + 1))


@pytest.mark.parametrize("lost", ["broker", "database"])
def test_connections_lost_in_the_middle_of_publishing_cost_nothing(
    database: Database, rabbit: Broker, tmp_path: Path, lost: str
) -> None:
    def cut() -> None:
        if lost == "broker":
            rabbit.rabbit.control("close_all_user_connections", "relay", "a test")
        else:
            rows(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'breakwater_relay' AND datname = current_database()",
            )

    with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
        for times in range(1, 4):
            before = head(database)[1]
            write(writer, 1_000)
            wait_for(lambda before=before: head(database)[1] > before, seconds=20, what="it moves on")  # type: ignore[misc]
            cut()
            process.has_logged("work_interrupted", times=times)
        eventually(lambda: head(database), (3_000, 3_000), seconds=40)
        assert process.alive
    assert first_occurrences(received(rabbit)) == list(range(1, 3_001))


def test_a_paused_writer_does_not_hide_its_event(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    """A transaction that took the lower id and commits later gets a later number; it is not skipped."""
    with relay(database, rabbit, tmp_path / "log"), connect(database.settings("core")) as slow:
        with slow.transaction():
            [early] = write(slow, 1)
            with connect(database.settings("core")) as fast:
                [late] = write(fast, 1)
            eventually(lambda: head(database), (1, 1))
        eventually(lambda: head(database), (2, 2))
    assert rows(database, "SELECT event_id FROM events.log ORDER BY sequence") == [(late,), (early,)]


def test_two_relays_do_not_work_at_once_and_the_second_takes_over(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with (
        relay(database, rabbit, tmp_path / "first") as first,
        connect(database.settings("core")) as writer,
    ):
        first.has_logged("publishing")
        with relay(database, rabbit, tmp_path / "second") as second:
            second.has_logged("started")
            write(writer, 50)
            eventually(lambda: head(database), (50, 50))
            assert second.lines("publishing") == []
            first.kill()
            second.has_logged("publishing")
            write(writer, 50)
            eventually(lambda: head(database), (100, 100))
    assert received(rabbit) == list(range(1, 101))


def test_what_no_queue_takes_is_not_skipped(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    def bindings(method: str) -> None:
        with rabbit.tester() as connection:
            channel = connection.channel()
            for queue in ("audit", "events.replay"):
                getattr(channel, method)(queue, EVENTS, "#")

    with ExitStack() as unbound:
        bindings("queue_unbind")
        unbound.callback(bindings, "queue_bind")
        with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
            write(writer, 3, kind="user.created")
            process.has_logged("work_interrupted")
            assert "no queue takes 'user.created.p'" in process.lines("work_interrupted")[0]["reason"]
            assert head(database) == (3, 0)
            unbound.close()
            eventually(lambda: head(database), (3, 3))
    assert first_occurrences(received(rabbit)) == [1, 2, 3]


def test_the_database_away_is_waited_out(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with relay(database, rabbit, tmp_path / "log") as process:
        process.has_logged("publishing")
        with database.server.connect() as server:
            server.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,)
            )
            process.has_logged("work_interrupted", times=4)
            server.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())
        with connect(database.settings("core")) as writer:
            write(writer, 10)
        eventually(lambda: head(database), (10, 10))
        assert process.alive
        assert "Traceback" not in process.log.read_text()


def test_a_missing_queue_holds_publishing_back_and_numbering_goes_on(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with ExitStack() as missing:
        rabbit.rabbit.control("delete_queue", "metadata")
        missing.callback(rabbit.restore)
        with relay(database, rabbit, tmp_path / "log") as process, connect(database.settings("core")) as writer:
            process.has_logged("work_interrupted", times=2)
            write(writer, 5)
            eventually(lambda: head(database), (5, 0))
            missing.close()
            eventually(lambda: head(database), (5, 5))


def test_sigterm_ends_it_within_seconds_also_when_the_broker_is_away(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with relay(database, rabbit, tmp_path / "present") as process:
        process.has_logged("publishing")
        begun = time.monotonic()
        assert process.terminate() == 0
        assert time.monotonic() - begun < 6
    rabbit.rabbit.control("stop_app")
    try:
        with relay(database, rabbit, tmp_path / "away") as process:
            process.has_logged("work_interrupted", times=2)
            found_at = database.server.run, "relay", process.pid
            assert asking.lacks(*found_at) == ["broker"]
            with connect(database.settings("relay")) as other:
                # whoever waits behind another one needs no broker meanwhile
                other.execute("SELECT pg_advisory_lock(%s)", (PUBLISHING_LOCK,))
                eventually(lambda: asking.lacks(*found_at), [])
            begun = time.monotonic()
            assert process.terminate() == 0
            assert time.monotonic() - begun < 6
    finally:
        rabbit.rabbit.control("start_app")


def test_only_a_relay_that_sleeps_is_woken(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with connect(database.settings("core")) as listener, connect(database.settings("core")) as writer:
        listener.execute("LISTEN breakwater_outbox")
        with relay(database, rabbit, tmp_path / "log"):
            write(writer, 1)
            eventually(lambda: head(database), (1, 1))
            assert heard(listener, 0.1) == 1
            for number in range(2, 30):  # within the time that it stays awake after each
                write(writer, 1)
                eventually(lambda: head(database)[0], number)
            assert heard(listener, 0.1) <= 3
            time.sleep(1)
            write(writer, 1)
            eventually(lambda: head(database)[0], 30)
            assert heard(listener, 0.1) == 1


def test_a_relay_that_died_awake_leaves_the_writers_notifying(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with connect(database.settings("core")) as listener, connect(database.settings("core")) as writer:
        listener.execute("LISTEN breakwater_outbox")
        with relay(database, rabbit, tmp_path / "log") as process:
            write(writer, 1)
            eventually(lambda: head(database), (1, 1))
            process.kill()
        heard(listener, 0.1)
        write(writer, 1)
        assert heard(listener, 0.5) == 1


def test_what_commits_while_the_relay_falls_asleep_is_not_left_for_the_poll(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with connect(database.settings("core")) as writer, relay(database, rabbit, tmp_path / "log"):
        write(writer, 1)
        eventually(lambda: head(database), (1, 1))
        with writer.transaction():
            write(writer, 1)  # sees the relay awake and notifies nobody
            time.sleep(AWAKE_SECONDS + COMMIT_SECONDS / 4)
        eventually(lambda: head(database), (2, 2), seconds=POLL_SECONDS * 4)
