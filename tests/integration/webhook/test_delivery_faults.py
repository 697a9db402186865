"""Deliveries under faults: killed, without broker or database, switched off, shut in, told to end; and few rights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.postgres import connect
from shared.settings import Settings
from tests import factories
from tests.clients.receiver import Receiver, Reply, delivery_ids, receiving
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.webhook.hooks import Hooks, hooks_of, push


@pytest.fixture
def own(database: Database, rabbit: Broker, tmp_path: Path) -> Iterator[Hooks]:
    """A database whose part a test starts and kills by itself."""
    with hooks_of(database, rabbit, tmp_path) as hooks:
        yield hooks


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def test_the_global_switch_stops_everything(own: Hooks, receiver: Receiver) -> None:
    project = own.project()
    policy = own.policy(project, receiver.url)
    with own.delivering() as process:
        process.has_logged("consuming")
        own.publish(push(project, "before"))
        own.settled(policy, "success")
        with own.database.superuser() as connection:
            factories.configure(connection, notification_enable=False)
        own.publish(push(project, "while it is off"))
        eventually(lambda: own.unsettled, 0)
        own.do("UPDATE webhook.deliveries SET state = 'pending', due_at = now(), finished_at = NULL")
        time.sleep(2.5)  # two polls
        assert len(receiver.received) == 1
        with own.database.superuser() as connection:
            factories.configure(connection, notification_enable=True)
        own.publish(push(project, "after"))
        own.settled(policy, "success", "success")
        assert [b"while" in each.body for each in receiver.received] == [False] * 3


def test_killed_again_and_again_nothing_is_lost(own: Hooks) -> None:
    with receiving(lambda _received: Reply(seconds=0.01)) as receiver:
        project = own.project()
        policies = [own.policy(project, f"{receiver.url}/{name}") for name in ("a", "b", "c")]
        own.publish(*[push(project, f"v{number}") for number in range(100)])
        kills = 0
        done = "SELECT count(*) FROM webhook.deliveries WHERE state = 'success'"
        for goal in (0, 40, 120, 200):
            with own.delivering() as process:
                eventually(lambda goal=goal: own.rows(done)[0][0] > goal, True, seconds=60)  # type: ignore[misc]
                process.kill()
                kills += 1
            # nobody waits a minute for a test
            own.do("UPDATE webhook.targets SET leased_until = now() WHERE leased_until IS NOT NULL")
        with own.delivering():
            for policy in policies:
                own.settled(policy, *["success"] * 100, seconds=60)
        assert len(set(delivery_ids(receiver))) == 300
        assert 300 <= len(receiver.received) <= 300 + 3 * kills
        assert own.broker.depth("webhook.dead-letters") == 0


def test_it_goes_on_sending_without_the_broker(own: Hooks, receiver: Receiver) -> None:
    project = own.project()
    policy = own.policy(project, receiver.url)
    with own.delivering() as process:
        process.has_logged("consuming")
        own.publish(push(project))
        own.settled(policy, "success")
        own.broker.rabbit.control("stop_app")
        try:
            own.do("UPDATE webhook.deliveries SET state = 'pending', due_at = now(), finished_at = NULL")
            own.settled(policy, "success")
        finally:
            own.broker.rabbit.control("start_app")
        assert len(receiver.received) == 2
        process.has_logged("consuming", times=2, seconds=40)


def test_the_database_away_is_waited_out(own: Hooks, receiver: Receiver) -> None:
    project = own.project()
    policy = own.policy(project, receiver.url)
    with own.delivering() as process:
        process.has_logged("consuming")
        with own.database.server.connect() as server:
            name = own.database.name
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            own.publish(push(project))
            process.has_logged("work_interrupted", times=2)
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        own.settled(policy, "success", seconds=40)
        assert process.alive


def test_loopback_is_not_connected_to_unless_the_operator_allows_it(own: Hooks, receiver: Receiver) -> None:
    project = own.project()
    hosts = ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]")
    policies = [own.policy(project, f"http://{host}:{receiver.server_address[1]}/in") for host in hosts]
    with own.delivering(allow=""):
        own.publish(push(project))
        for policy in policies:
            eventually(lambda policy=policy: len(own.attempts(policy)), 1)  # type: ignore[misc]
            number, succeeded, message = own.attempts(policy)[0]
            assert (number, succeeded) == (1, False)
            assert message.startswith("requests may not go to the address of")
    assert receiver.received == []


def test_it_ends_when_it_is_told_to(own: Hooks) -> None:
    with own.delivering() as process:
        process.has_logged("consuming")
        assert process.terminate() == 0


REFUSED = [
    b"SELECT * FROM core.users", b"SELECT * FROM directory.users", b"SELECT * FROM directory.configuration",
    b"SELECT * FROM events.log", b"INSERT INTO events.outbox DEFAULT VALUES", b"SELECT * FROM audit.records",
    b"UPDATE webhook.policies SET enabled = true", b"UPDATE webhook.targets SET address = 'http://x/'",
    b"UPDATE webhook.targets SET auth_header = NULL", b"UPDATE webhook.attempts SET message = ''",
    b"INSERT INTO webhook.policies (project_id, name, event_types) VALUES (1, 'x', '{}')",
]  # fmt: skip


@pytest.mark.parametrize("statement", REFUSED, ids=[each.decode() for each in REFUSED])
def test_the_part_may_do_nothing_beyond_its_work(database: Database, statement: bytes) -> None:
    settings: Settings = database.settings("webhook")
    with connect(settings) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
