"""The service on its queue: what the relay publishes becomes records, whatever dies on the way."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.audit.key import chain_key, ensure_chain_key
from services.audit.queries.verification import HEAD_LOGGED, heads_in_log, verify
from shared.events import Event
from shared.events.catalogue import DEFINITIONS
from shared.events.definitions.user import UserLoggedIn
from shared.events.envelope import build, encode
from shared.events.event import field_types
from shared.messaging.connection import connected
from shared.messaging.publish import Outgoing, Publisher
from shared.messaging.topology import EVENTS, REPLAY
from shared.postgres import connect
from shared.settings import Settings
from tests.documented import documented
from tests.integration.audit.conftest import NOW, context, push
from tests.integration.broker import Broker, Process, eventually, running
from tests.integration.conftest import Database

SERVICE = "services.audit.service:AuditService"


def settings(database: Database, rabbit: Broker) -> Settings:
    return database.settings("audit", amqp_port=rabbit.port)


@contextmanager
def service(database: Database, rabbit: Broker, log: Path) -> Iterator[Process]:
    with running(SERVICE, settings(database, rabbit), log) as process:
        process.has_logged("consuming")
        yield process


def numbered(event_id: UUID, event: Event, sequence: int) -> dict[str, Any]:
    return build(event, context=context(), event_id=event_id, time=NOW) | {"sequence": str(sequence)}


def publish(rabbit: Broker, *events: tuple[UUID, Event]) -> None:
    with connected(rabbit.settings("relay")) as connection:
        Publisher(connection).publish(
            [
                Outgoing(
                    exchange=EVENTS,
                    routing_key=event.routing_key,
                    body=encode(numbered(event_id, event, sequence)).encode(),
                )
                for sequence, (event_id, event) in enumerate(events, start=1)
            ]
        )


def recorded(database: Database) -> int:
    with database.superuser() as connection:
        row = connection.execute(b"SELECT count(*) FROM audit.records").fetchone()
    return int(row[0]) if row else 0


def whole(database: Database, rabbit: Broker) -> bool:
    own = settings(database, rabbit)
    with connect(own) as connection:
        return verify(connection, chain_key(own)).whole


@pytest.fixture(autouse=True)
def _key_of_this_database(database: Database) -> Iterator[None]:
    yield
    database.server.home.joinpath("secrets", "audit", "chain-key").unlink(missing_ok=True)


def test_published_events_become_records_and_the_head_is_logged(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with service(database, rabbit, tmp_path / "log") as process:
        publish(rabbit, *((uuid4(), push(number)) for number in range(300)))
        eventually(lambda: recorded(database), 300)
        process.has_logged(HEAD_LOGGED)
    assert whole(database, rabbit)
    with service(database, rabbit, tmp_path / "log") as process:
        process.has_logged(HEAD_LOGGED, times=2)
    heads = heads_in_log((tmp_path / "log").read_text().splitlines())
    own = settings(database, rabbit)
    with connect(own) as connection:
        assert set(heads) == {300}
        assert verify(connection, chain_key(own), witnesses=heads).whole
        assert not verify(connection, chain_key(own), witnesses={300: "00"}).whole


def test_the_same_event_a_thousand_times_over_the_broker_is_one_record(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    same = (uuid4(), push(1))
    with service(database, rabbit, tmp_path / "log"):
        publish(rabbit, *[same] * 1000, (uuid4(), push(2)))
        eventually(lambda: recorded(database), 2)
        eventually(lambda: rabbit.depth("audit"), 0)
    assert recorded(database) == 2


@pytest.mark.fault
def test_killed_again_and_again_it_records_every_event_once(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    events = [(uuid4(), push(number)) for number in range(1500)]
    publish(rabbit, *events[:500])
    for part in range(1, 3):
        with service(database, rabbit, tmp_path / f"log{part}") as process:
            publish(rabbit, *events[500 * part : 500 * (part + 1)])
            process.kill()
    with service(database, rabbit, tmp_path / "last"):
        eventually(lambda: recorded(database), 1500, seconds=60)
        eventually(lambda: rabbit.depth("audit"), 0)
    assert recorded(database) == 1500
    assert whole(database, rabbit)


def test_events_wait_for_a_lost_key_and_nothing_is_rechained_without_it(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    own = settings(database, rabbit)
    key_file = own.secrets / "audit" / "chain-key"
    with service(database, rabbit, tmp_path / "first"):
        publish(rabbit, (uuid4(), push(1)))
        eventually(lambda: recorded(database), 1)
    kept = key_file.read_text()
    key_file.unlink()
    publish(rabbit, (uuid4(), push(2)))
    with service(database, rabbit, tmp_path / "second") as process:
        process.has_logged("waiting_for_outage")
        assert recorded(database) == 1
        assert not key_file.exists()
        key_file.write_text(kept)
        eventually(lambda: recorded(database), 2)
    assert whole(database, rabbit)


def test_events_wait_for_a_purge_that_holds_the_chain_for_long(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with service(database, rabbit, tmp_path / "log") as process:
        with database.superuser() as purge, purge.transaction():
            purge.execute(b"SELECT FROM audit.head FOR UPDATE")
            publish(rabbit, (uuid4(), push(1)))
            process.has_logged("waiting_for_outage")
        eventually(lambda: recorded(database), 1)
        assert process.lines("event_failed") == []


def test_the_key_is_made_once(tmp_path: Path) -> None:
    assert ensure_chain_key(tmp_path)
    first = (tmp_path / "chain-key").read_text()
    assert not ensure_chain_key(tmp_path)
    assert (tmp_path / "chain-key").read_text() == first
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert (tmp_path / "chain-key").stat().st_mode & 0o777 == 0o600


def test_of_two_processes_that_begin_at_once_both_have_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is about to make a key when the first has made it; in containers both have the number 1."""
    assert ensure_chain_key(tmp_path)
    first = (tmp_path / "chain-key").read_text()
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert not ensure_chain_key(tmp_path)
    assert (tmp_path / "chain-key").read_text() == first
    assert [path.name for path in tmp_path.iterdir()] == ["chain-key"]


def test_the_outside_consumer_of_the_page_runs_as_written(rabbit: Broker, tmp_path: Path) -> None:
    code = documented("docs/events.md", "events.replay").text
    assert len(code.splitlines()) <= 25
    script = tmp_path / "consumer.py"
    script.write_text(code)
    with rabbit.tester() as connection:  # a stream cannot be emptied, and this one holds what other tests published
        connection.channel().queue_delete(REPLAY)
    rabbit.restore()
    password = rabbit.settings("consumer").secret("amqp-password").reveal()
    url = f"amqp://consumer:{password}@127.0.0.1:{rabbit.port}/"
    publish(rabbit, (uuid4(), UserLoggedIn(username="x")), (uuid4(), push(4, project="outside")))
    with subprocess.Popen([sys.executable, script, url], stdout=subprocess.PIPE, text=True) as reader:
        try:
            assert reader.stdout
            lines = iter(reader.stdout.readline, "")
            found = next(line for line in lines if "outside/" in line)
            publish(rabbit, (uuid4(), push(5, project="outside")))
            later = next(line for line in lines if "outside/" in line)
        finally:
            reader.kill()
    assert "outside/app:v4 by alice" in found
    assert "outside/app:v5 by alice" in later


def test_no_event_has_a_field_for_a_secret() -> None:
    names = {name for each in DEFINITIONS for name in field_types(each)}
    assert not [name for name in names if re.search("password|secret|hash|credential", name)]
