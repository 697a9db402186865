"""The doctor's questions to a real database, broker and directory, each with a fault that was made in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import amqp
import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg.types.json import Jsonb

from compose.local.doctor import broker, flow, modes, storage
from compose.local.doctor import database as database_checks
from shared.messaging.connection import connected
from shared.messaging.topology import AUDIT, OPERATOR, WEBHOOK
from shared.registry.bucket import ROOT
from shared.settings import Settings
from tests.clients.polling import eventually
from tests.integration.compose.patients import NOW, Elsewhere, whats
from tests.integration.conftest import Database
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from compose.local.doctor.finding import Finding
    from compose.local.doctor.patient import Patient
    from tests.integration.broker import Broker


# the database


@pytest.mark.parametrize(
    "ask",
    [
        database_checks.answers, database_checks.roles, database_checks.connections, database_checks.revision,
        database_checks.clock, flow.outbox, flow.published, flow.parked, flow.record, modes.read_only, modes.ldap,
        modes.registries, storage.images,
    ],
    ids=lambda ask: ask.__name__,
)
def test_new_database_is_well(stored: Patient, ask: Callable[[Patient], Iterable[Finding]]) -> None:
    assert whats(ask(stored)) == ""


def test_nothing_can_be_written_by_what_is_asked(stored: Patient) -> None:
    with stored.database() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM events.outbox")


def test_missing_password_is_broken(stored: Patient, database: Database) -> None:
    file = database.server.home / "secrets" / "audit" / "database-password"
    aside = file.rename(file.with_name("aside"))
    try:
        assert "audit" in whats(database_checks.roles(stored))
    finally:
        aside.rename(file)


def put_in_outbox(connection: psycopg.Connection[Any], age: timedelta) -> None:
    connection.execute(
        "INSERT INTO events.outbox (event_id, type, routing_key, body, created_at)"
        " VALUES (gen_random_uuid(), 't', 'a.b', %s, now() - %s)",
        (Jsonb({}), age),
    )


def test_event_that_is_not_numbered_is_broken(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        put_in_outbox(connection, timedelta(seconds=5))
        assert whats(flow.outbox(stored)) == ""
        put_in_outbox(connection, timedelta(minutes=7))
    assert "2 events are not numbered; the oldest waits for 7 min" in whats(flow.outbox(stored))


def test_event_that_is_not_published_is_broken(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute("UPDATE events.relay SET last_sequence = 3, published_through = 2")
        connection.execute(
            "INSERT INTO events.log (sequence, event_id, type, routing_key, body, recorded_at)"
            " VALUES (3, gen_random_uuid(), 't', 'a.b', '{}', now())"
        )
        assert whats(flow.published(stored)) == ""
        connection.execute(
            "UPDATE events.log SET recorded_at = greatest(now() - interval '7 min', date_trunc('day', now()))"
        )
        row = connection.execute("SELECT now() - recorded_at > interval '1 min' FROM events.log").fetchone()
    if row == (True,):  # not in the first minute of a day, whose partition holds no older row
        assert "1 are not published" in whats(flow.published(stored))


def test_parked_notification_is_warned_of(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute("INSERT INTO events.parked (reason, body) VALUES ('r', 'b')")
    assert "warning: 1 notifications of the registry are parked" in whats(flow.parked(stored))


def test_record_that_was_found_broken_is_told(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute("UPDATE audit.checks SET broken = 'link 5 differs', verified_at = now()")
    assert "broken: the record does not hold: link 5 differs" in whats(flow.record(stored))


def test_database_without_its_last_migration_is_broken(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0091'")
        assert "migrations are pending" in whats(database_checks.revision(stored))
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        assert "newer than this code" in whats(database_checks.revision(stored))


def configure(database: Database, **values: object) -> None:
    with database.superuser() as connection:
        for key, value in values.items():
            connection.execute("INSERT INTO core.configuration (key, value) VALUES (%s, %s)", (key, Jsonb(value)))


def test_read_only_mode_is_warned_of(stored: Patient, database: Database) -> None:
    configure(database, read_only=True)
    assert "warning: the system is in read-only mode" in whats(modes.read_only(stored))


def test_flag_of_a_full_disk_is_warned_of(stored: Patient) -> None:
    stored.layout.readonly_flag.parent.mkdir()
    stored.layout.readonly_flag.touch()
    assert "warning: pushes are refused" in whats(modes.read_only(stored))


def test_flag_of_a_collection_is_broken_where_none_is_under_way(stored: Patient, database: Database) -> None:
    flag = stored.layout.collecting_flag
    flag.parent.mkdir()
    flag.touch()
    with database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO core.collections
                (trigger, delete_untagged, dry_run, parameters, actor, actor_kind, request_id, status)
            VALUES ('MANUAL', false, false, '{}', 'admin', 'user', 'r', 'Running')
            """
        )
        assert whats(modes.read_only(stored)) == ""
        connection.execute("UPDATE core.collections SET status = 'Error', finished_at = now()")
    told = whats(modes.read_only(stored))
    assert told == f"broken: pushes and deletions are refused, for {flag} exists, and no garbage is being collected"


def test_storage_without_what_the_catalogue_knows_is_broken(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.repositories (project_id, name, artifact_count)"
            " SELECT id, 'library/app', 1 FROM core.projects WHERE name = 'library'"
        )
    assert "broken: " in whats(storage.images(stored))
    assert "holds none of 1 repositories that the catalogue knows" in whats(storage.images(stored))
    stored.layout.registry.joinpath(ROOT, "repositories", "library", "app").mkdir(parents=True)
    assert whats(storage.images(stored)) == ""


def test_directory_that_does_not_answer_is_broken(stored: Patient, database: Database) -> None:
    key = database.server.home / "secrets" / "config-key"
    if not key.exists():
        key.write_bytes(Fernet.generate_key())
    url = f"ldap://127.0.0.1:{free_port()}"
    configure(database, ldap_url=url, ldap_base_dn="dc=x")
    assert whats(modes.ldap(stored)) == ""
    configure(database, auth_mode="ldap_auth")
    assert f"broken: the directory at {url} does not answer" in whats(modes.ldap(stored))


def test_registry_that_does_not_answer_is_warned_of(stored: Patient, database: Database) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO replication.registries (name, kind, url, status)"
            " VALUES ('far', 'harbor', 'https://r', 'unhealthy')"
        )
    assert "warning: the registry far of replication" in whats(modes.registries(stored))


# the broker


@contextlib.contextmanager
def taking(rabbit: Broker, *, besides: str = "") -> Iterator[None]:
    """Somebody takes from every queue but one."""
    with rabbit.tester() as connection:
        channel = connection.channel()
        for consumer in broker.CONSUMERS:
            if consumer.queue != besides:
                channel.basic_consume(consumer.queue)
        yield


def test_broker_whose_queues_are_taken_from_is_well(rabbit: Broker, queued: Patient) -> None:
    with taking(rabbit):
        for ask in (broker.answers, broker.users, broker.alarms, broker.queues):
            assert whats(ask(queued)) == "", ask.__name__


def test_queue_that_nobody_takes_from_is_broken(rabbit: Broker, queued: Patient) -> None:
    with taking(rabbit, besides=WEBHOOK.queue):
        said = whats(broker.queues(queued))
    assert said == "broken: queue webhook has no consumer; 0 messages wait"


def test_missing_queue_is_broken_and_the_others_are_looked_at(rabbit: Broker, queued: Patient) -> None:
    try:
        with taking(rabbit, besides=WEBHOOK.queue), rabbit.tester() as connection:
            connection.channel().queue_delete(WEBHOOK.queue)
            said = whats(broker.queues(queued))
    finally:
        rabbit.restore()
    assert said == "broken: queue webhook or one that hangs on it is missing: nothing is published"


def test_dead_letter_is_warned_of(rabbit: Broker, queued: Patient) -> None:
    with taking(rabbit):
        with rabbit.tester() as connection:
            connection.channel().basic_publish(amqp.Message(b"{}"), exchange=AUDIT.dead_letters)
        eventually(lambda: "1 dead letters of audit" in whats(broker.queues(queued)), within=10, what="a dead letter")


def test_alarm_of_memory_is_broken_and_nothing_is_left_by_asking(rabbit: Broker, queued: Patient) -> None:
    queued.layout.broker.mkdir()
    rabbit.rabbit.control("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        alarm = "broken: the broker has an alarm"
        eventually(lambda: alarm in whats(broker.alarms(queued)), within=15, what="an alarm")
        assert "short of memory" in whats(broker.alarms(queued))
    finally:
        rabbit.rabbit.control("set_vm_memory_high_watermark", "absolute", "1GB")
    eventually(lambda: whats(broker.alarms(queued)) == "", within=15, what="the alarm's end")
    assert all(rabbit.depth(consumer.queue) == 0 for consumer in broker.CONSUMERS)


def test_password_that_the_broker_does_not_take_is_broken(rabbit: Broker, queued: Patient) -> None:
    file = rabbit.home / "secrets" / "metadata" / "amqp-password"
    kept = file.read_text()
    try:
        file.write_text("hunter2\n")
        said = whats(broker.users(queued))
    finally:
        file.write_text(kept)
    assert said == "broken: the broker does not accept the password of metadata"


def test_broker_that_is_away_is_broken(queued: Patient, rabbit: Broker) -> None:
    port = free_port()
    away = Elsewhere(
        site=queued.site, now=NOW,
        at=lambda part: Settings(home=rabbit.home, run=rabbit.home, part=part, amqp_port=port),
    )  # fmt: skip
    assert "broken: the broker does not answer" in whats(broker.answers(away))
    with connected(queued.settings(OPERATOR)):
        assert whats(broker.answers(queued)) == ""
