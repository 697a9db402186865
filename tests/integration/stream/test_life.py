"""The stream's life: headers, heartbeats, latency, the end of the server and of the database."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from gateway.events.hub import MOST_STREAMS_OF_ACCOUNT
from tests.clients.polling import eventually
from tests.clients.stream import Stream
from tests.integration.conftest import Database
from tests.integration.stream.conftest import PASSWORD, World, event_mount
from tests.servers import postgres


def asked(world: World, **parameters: str) -> requests.Response:
    """The answer itself, as far as its head."""
    url = f"{world.url}/api/v2.0/events/stream"
    return requests.get(url, params=parameters, auth=("admin", PASSWORD), stream=True, timeout=15)


def test_the_answer_is_an_event_stream_that_nothing_buffers_or_stores(world: World) -> None:
    with asked(world) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["X-Request-Id"]


def test_a_silent_stream_beats_within_ten_seconds_and_its_beat_moves_the_place_to_resume(world: World) -> None:
    private = world.project()
    with asked(world, project="library") as answer:
        lines = answer.iter_lines(chunk_size=1)
        last = world.push(private)
        started = time.monotonic()
        beat = next(line for line in lines if line.startswith(b"id: "))
        assert time.monotonic() - started < 10
        assert beat == f"id: {last}".encode()


def test_an_event_reaches_the_client_fast(world: World) -> None:
    with world.stream("admin", project="library") as stream:
        delays = []
        for turn in range(20):
            world.push("library", tag=f"fast{turn}")
            started = time.monotonic()
            while not any(event["data"]["tag"] == f"fast{turn}" for event in stream.events):
                time.sleep(0.002)
                assert time.monotonic() - started < 5
            delays.append(time.monotonic() - started)
        assert sorted(delays)[10] < 0.2


def test_an_event_that_nothing_notifies_of_is_found_by_looking(world: World) -> None:
    with world.stream("admin", project="library", type="artifact.pushed") as stream:
        last = world.push("library", tag="told")
        world.sql(
            "INSERT INTO events.log SELECT sequence + 1, gen_random_uuid(), type, routing_key, project,"
            " jsonb_set(body, '{data,tag}', '\"untold\"'), now() FROM events.log WHERE sequence = %s",
            last,
        )
        world.sql("UPDATE events.relay SET last_sequence = last_sequence + 1")
        stream.wait_for(lambda event: event["data"]["tag"] == "untold", within=5, what="the event without a NOTIFY")


def test_who_hangs_up_gives_the_place_back(world: World) -> None:
    def heard() -> bool:
        with world.stream("admin", project="library") as stream:
            return stream.status == requests.codes.ok

    for _ in range(MOST_STREAMS_OF_ACCOUNT + 20):
        eventually(heard, within=10, what="a place is free")


def test_an_unknown_path_and_method_are_refused_in_the_shape_of_the_api(world: World) -> None:
    for method, path, status, code in (
        ("POST", "/api/v2.0/events/stream", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/api/v2.0/events", 404, "NOT_FOUND"),
    ):
        answer = requests.request(method, world.url + path, timeout=5)
        assert answer.status_code == status
        assert answer.json()["errors"][0]["code"] == code


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    """A mount with a PostgreSQL of its own, to be killed."""
    with postgres() as server:
        database = Database(server, server.migrated())
        with event_mount(database, tmp_path) as url:
            world = World(database, url)
            world.sql("UPDATE core.users SET password_hash = (SELECT password_hash FROM core.users WHERE username = %s)"
                      " WHERE id = 1", world.user())  # fmt: skip
            yield world


def listening(world: World) -> Stream:
    return world.stream("admin", project="library")


def cut_connections(world: World) -> None:
    world.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'breakwater_events' AND pid <> pg_backend_pid()"
    )


@pytest.mark.fault
def test_streams_survive_a_restart_of_the_database_without_gap(own: World) -> None:
    with listening(own) as stream:
        own.push("library", tag="before")
        eventually(lambda: len(stream.events) == 1, within=5, what="the event before")
        cut_connections(own)
        own.push("library", tag="between")
        own.push("library", tag="after")
        eventually(lambda: len(stream.events) == 3, within=10, what="the events after")
        assert [event["data"]["tag"] for event in stream.events] == ["before", "between", "after"]


@pytest.mark.fault
def test_without_a_database_new_clients_get_503_and_the_old_ones_stay(own: World) -> None:
    with listening(own) as stream:
        own.sql("ALTER ROLE breakwater_events NOLOGIN")
        cut_connections(own)
        refused = asked(own)
        assert refused.status_code == requests.codes.service_unavailable
        assert refused.headers["Retry-After"]
        own.push("library", tag="meanwhile")
        own.sql("ALTER ROLE breakwater_events LOGIN")
        eventually(lambda: len(stream.events) == 1, within=15, what="the event that came meanwhile")


def test_a_server_that_stops_says_so_and_stops_fast(database: Database, tmp_path: Path) -> None:
    world = World(database)
    name = world.user(admin=True)
    with ExitStack() as after:
        with event_mount(database, tmp_path) as url:
            stream = after.enter_context(Stream(url, (name, PASSWORD)))
            started = time.monotonic()
        assert time.monotonic() - started < 5
        eventually(stream.ended.is_set, within=1, what="the stream ends")
        assert stream.events[-1]["reason"] == "shutdown"
