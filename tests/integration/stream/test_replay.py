"""Resuming: from any place the log keeps, with neither gap nor double where replay meets what is live."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
import requests
import structlog.testing

from gateway.events import stream as stream_module
from gateway.events.asking import Filter, Wish
from gateway.events.errors import StreamsExhausted, TooManyStreams
from gateway.events.hub import Hub
from gateway.events.stream import Stream as ServedStream
from shared.auth.principals import Principal, PrincipalKind
from shared.errors import QueryGivenUp, Unavailable
from tests.clients.polling import eventually
from tests.integration.conftest import Database
from tests.integration.stream.conftest import World, pushed

ADMIN = Principal(kind=PrincipalKind.USER, id=1, name="admin", is_admin=True, credential_version=1)


def sequences(frames: bytes) -> list[int]:
    """The sequences of the events in some frames, heartbeats left out."""
    blocks = [dict(line.split(": ", 1) for line in block.split("\n") if ": " in line) for block in _blocks(frames)]
    return [int(json.loads(block["data"])["sequence"]) for block in blocks if "data" in block and "id" in block]


def _blocks(frames: bytes) -> list[str]:
    return frames.decode().split("\n\n")


async def listen(stream: ServedStream, enough: Callable[[bytes], bool], *, seconds: float = 20) -> bytes:
    taken = b""
    async with asyncio.timeout(seconds):
        async for frames in stream:
            taken += frames
            if enough(taken):
                break
    return taken


def with_hub(database: Database, scenario: Callable[[Hub], Awaitable[None]], **options: int) -> None:
    async def run() -> None:
        hub = Hub(database.settings("events"), **options)
        await hub.replay.open()
        task = asyncio.create_task(hub.run())
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        probe = await hub.open(ADMIN, Wish(filter=Filter()))
                    except Unavailable:
                        await asyncio.sleep(0.02)
                    else:
                        await probe.close()
                        break
            await scenario(hub)
        finally:
            task.cancel()
            await hub.replay.close()

    asyncio.run(run())


def test_a_thousand_events_meet_the_live_ones_without_gap_or_double(database: Database) -> None:
    world = World(database)
    world.happen(*[pushed("library", tag=f"v{number}") for number in range(1000)])
    writer = Thread(target=lambda: [world.push("library", tag=f"live{number}") for number in range(25)])

    async def scenario(hub: Hub) -> None:
        writer.start()
        streams = [await hub.open(ADMIN, Wish(filter=Filter(), since=since)) for since in (0, 1, 500, 999, 1000)]
        taken = await asyncio.gather(*(listen(stream, lambda got: b'"tag":"live24"' in got) for stream in streams))
        for since, frames in zip((0, 1, 500, 999, 1000), taken, strict=True):
            assert sequences(frames) == list(range(since + 1, 1026))

    with_hub(database, scenario)
    writer.join()


def test_what_overflows_during_a_long_replay_is_replayed_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MOST_WAITING", 5)
    world = World(database)
    world.happen(*[pushed("library", tag=f"v{number}") for number in range(500)])

    async def scenario(hub: Hub) -> None:
        stream = await hub.open(ADMIN, Wish(filter=Filter(), since=0))
        await anext(stream)
        taken = await anext(stream)  # the first page; now more comes than may wait
        for number in range(20):
            await asyncio.to_thread(world.push, "library", tag=f"live{number}")
        taken += await listen(stream, lambda got: b'"tag":"live19"' in got)
        assert sequences(taken) == list(range(1, 521))

    with_hub(database, scenario)


def test_a_client_that_does_not_read_is_cut_and_holds_little(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MOST_WAITING", 50)
    monkeypatch.setattr(stream_module, "GOODBYE_SECONDS", 0.1)
    world = World(database)

    async def scenario(hub: Hub) -> None:
        stream = await hub.open(ADMIN, Wish(filter=Filter()))

        async def stuck() -> None:  # a server whose client takes nothing: it waits for ever in send()
            await anext(stream)
            await asyncio.Event().wait()

        reader = asyncio.create_task(stuck())
        await asyncio.to_thread(world.happen, *[pushed("library", tag=f"v{number}") for number in range(500)])
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reader, 10)
        assert (await anext(stream)).startswith(b'event: end\ndata: {"type": "end", "reason": "slow"')

    with_hub(database, scenario)


def test_more_clients_than_the_cap_are_refused_until_one_goes(database: Database) -> None:
    async def scenario(hub: Hub) -> None:
        streams = [await hub.open(ADMIN, Wish(filter=Filter())) for _ in range(3)]
        with pytest.raises(StreamsExhausted):
            hub.refuse_more()
        with pytest.raises(StreamsExhausted):
            await hub.open(ADMIN, Wish(filter=Filter()))
        await streams[0].close()
        hub.refuse_more()

    with_hub(database, scenario, most_streams=3)


def test_one_account_cannot_take_all_streams(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.events.hub.MOST_STREAMS_OF_ACCOUNT", 2)

    async def scenario(hub: Hub) -> None:
        for _ in range(2):
            await hub.open(ADMIN, Wish(filter=Filter()))
        with pytest.raises(TooManyStreams):
            await hub.open(ADMIN, Wish(filter=Filter()))

    with_hub(database, scenario)


def test_a_stream_resumes_by_last_event_id_sequence_and_time(world: World) -> None:
    project = world.project()
    first = world.push(project, tag="v1")
    between = datetime.now(UTC)
    world.push(project, tag="v2")
    world.push(project, tag="v3")
    wanted: list[dict[str, Any]] = [
        {"last_event_id": str(first)},
        {"since": str(first)},
        {"since": between.isoformat()},
        {"since": between.isoformat().replace("+00:00", "Z")},
        {"since": "0", "last_event_id": str(first)},
    ]
    for start in wanted:
        with world.stream("admin", project=project, **start) as stream:
            eventually(lambda stream=stream: len(stream.events) == 2, within=5, what=f"two events with {start}")
            assert [event["data"]["tag"] for event in stream.events] == ["v2", "v3"]
            assert [event["sequence"] for event in stream.events] == stream.ids


@pytest.mark.parametrize(
    ("filters", "tags"),
    [
        ({"type": "artifact.pushed"}, ["a", "b"]),
        ({"type": "artifact"}, ["a", "b"]),
        ({"type": "breakwater.artifact.pushed.v1,user.logged_in"}, ["a", "b"]),
        ({"type": "artifact.deleted"}, []),
        ({"repository": "{project}/one"}, ["a"]),
        ({"repository": "{project}/one,{project}/two"}, ["a", "b"]),
    ],
)
def test_filters_hold_for_replay_and_live(world: World, filters: dict[str, str], tags: list[str]) -> None:
    project = world.project()
    wanted = {name: value.format(project=project) for name, value in filters.items()}
    start = world.number()

    def both() -> int:
        world.push(project, tag="a", repository="one")
        return world.push(project, tag="b", repository="two")

    both()
    with world.stream("admin", project=project, since=str(start), **wanted) as stream:
        eventually(lambda: len(stream.events) == len(tags), within=5, what="the replayed events")
        both()
        eventually(lambda: len(stream.events) == 2 * len(tags), within=5, what="the live events")
        assert [event["data"]["tag"] for event in stream.events] == tags * 2


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"since": "yesterday"}, "since must be a sequence or an RFC 3339 time"),
        ({"since": "-1"}, "since must be a sequence"),
        ({"since": "2026-01-31"}, "since must be a sequence"),
        ({"since": "2026-01-31T12:00:00"}, "since must be a sequence"),
        ({"since": "9" * 18}, "no event has the sequence"),
        ({"since": "9" * 30}, "since is not the sequence of an event"),
        ({"last_event_id": "x"}, "Last-Event-ID is not the sequence of an event"),
        ({"last_event_id": "١٢"}, "Last-Event-ID is not the sequence of an event"),
        ({"type": "artifact.eaten"}, "no event has the type 'artifact.eaten'"),
        ({"type": "a" * 4000}, "no event has the type"),
        ({"project": "No Project"}, "'No Project' is not a project name"),
        ({"project": "a'; DROP TABLE events.log"}, "is not a project name"),
        ({"repository": "nothing"}, "'nothing' is not a repository name"),
        ({"project": ",".join(f"p{number}" for number in range(101))}, "project takes at most 100 values"),
    ],
)
def test_wrong_parameters_get_a_sentence(world: World, parameters: dict[str, str], sentence: str) -> None:
    last = parameters.pop("last_event_id", None)
    answer = requests.get(
        f"{world.url}/api/v2.0/events/stream",
        params=parameters,
        auth=("admin", "Correct1horse"),
        headers={"Last-Event-ID": last.encode()} if last else {},
        timeout=5,
    )
    assert answer.status_code == requests.codes.bad_request
    assert sentence in answer.json()["errors"][0]["message"]


def test_what_the_log_no_longer_keeps_is_gone(database: Database) -> None:
    world = World(database)
    world.happen(*[pushed("library", tag=f"v{number}") for number in range(10)])
    world.sql("DELETE FROM events.log WHERE sequence <= 6")

    async def scenario(hub: Hub) -> None:
        for since in (0, 5, datetime.now(UTC) - timedelta(days=9)):
            with pytest.raises(Exception, match="the log keeps events from"):
                await hub.open(ADMIN, Wish(filter=Filter(), since=since))
        stream = await hub.open(ADMIN, Wish(filter=Filter(), since=6))
        assert sequences(await listen(stream, lambda got: b'"tag":"v9"' in got)) == [7, 8, 9, 10]
        await asyncio.to_thread(world.sql, "DELETE FROM events.log")
        with pytest.raises(Exception, match="ask with since=10 or later"):
            await hub.open(ADMIN, Wish(filter=Filter(), since=9))
        await hub.open(ADMIN, Wish(filter=Filter(), since=10))

    with_hub(database, scenario)


def test_a_replay_that_the_trimmed_log_overtakes_ends_with_a_word(database: Database) -> None:
    world = World(database)
    world.happen(*[pushed("library", tag=f"v{number}") for number in range(500)])

    async def scenario(hub: Hub) -> None:
        stream = await hub.open(ADMIN, Wish(filter=Filter(), since=0))
        taken = await anext(stream) + await anext(stream)
        await asyncio.to_thread(world.sql, "DELETE FROM events.log WHERE sequence <= 300")
        taken += await listen(stream, lambda got: b"event: end" in got)
        assert sequences(taken) == list(range(1, 201))
        assert b'"reason": "trimmed"' in taken

    with_hub(database, scenario)


def test_a_time_that_the_log_reaches_back_to_is_no_older_for_a_quiet_day(database: Database) -> None:
    world = World(database)
    world.happen(*[pushed("library", tag=f"v{number}") for number in range(10)])
    world.sql("DELETE FROM events.log WHERE sequence <= 6")

    async def scenario(hub: Hub) -> None:
        since = datetime.now(UTC) - timedelta(minutes=1)
        stream = await hub.open(ADMIN, Wish(filter=Filter(), since=since))
        assert sequences(await listen(stream, lambda got: b'"tag":"v9"' in got)) == [7, 8, 9, 10]

    with_hub(database, scenario)


def end_what_waits(database: Database, how: str) -> None:
    """Cancel the query, or end the connection, of the one who waits for the locked log."""
    waits = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.superuser() as connection:
        eventually(
            lambda: connection.execute(f"SELECT {how}(pid) {waits}".encode()).fetchall(), within=10, what="one waits"
        )


@pytest.mark.parametrize(
    ("how", "told"),
    [("pg_cancel_backend", "stream.query_given_up"), ("pg_terminate_backend", "stream.database_away")],
)
def test_a_query_that_is_given_up_is_no_outage_and_neither_ends_a_stream(
    database: Database, how: str, told: str
) -> None:
    world = World(database)

    async def scenario(hub: Hub) -> None:
        stream = await hub.open(ADMIN, Wish(filter=Filter()))
        with database.superuser() as connection, connection.transaction():
            connection.execute("LOCK TABLE events.log IN ACCESS EXCLUSIVE MODE")
            await asyncio.to_thread(end_what_waits, database, how)
            await asyncio.to_thread(eventually, interruptions, within=10, what="it is told")
        await asyncio.to_thread(world.push, "library", tag="after")
        assert sequences(await listen(stream, lambda got: b'"tag":"after"' in got)) == [1]

    def interruptions() -> list[str]:
        return [line["event"] for line in logged if line["log_level"] != "info"]

    with structlog.testing.capture_logs() as logged:
        with_hub(database, scenario)
    assert interruptions() == [told]


def test_a_replay_that_is_given_up_is_told_as_that(database: Database) -> None:
    async def scenario(hub: Hub) -> None:
        with database.superuser() as connection, connection.transaction():
            connection.execute("LOCK TABLE events.relay IN ACCESS EXCLUSIVE MODE")
            opening = asyncio.create_task(hub.open(ADMIN, Wish(filter=Filter(), since=0)))
            await asyncio.to_thread(end_what_waits, database, "pg_cancel_backend")
            with pytest.raises(QueryGivenUp):
                await opening

    with_hub(database, scenario)
