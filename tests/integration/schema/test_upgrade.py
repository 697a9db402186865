"""The first version's database, with a company's data in it and clients at it, brought up to date."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import pytest
from alembic import command
from sqlalchemy import text

from services.api.queries.project import get_project
from services.api.queries.repository import deletable
from services.audit.commands import _APPEND, _row, lock_head, record_batch
from services.audit.domain.chain import ChainKey
from services.audit.domain.record import entry_of
from services.audit.queries.verification import verify
from shared import directory
from shared.auth.passwords import verify_password
from shared.auth.roles import Role
from shared.db import engine, session_factory
from shared.errors import ConfigurationError, QueryGivenUp
from shared.events import Actor, ActorKind, Envelope, EventContext, emit
from shared.events.definitions.user import UserLoggedIn
from shared.events.envelope import build, parse
from shared.migrations import run
from shared.names import RepositoryName
from shared.postgres import connect
from shared.secrets import Secret
from tests import factories
from tests.clients.polling import eventually
from tests.integration.conftest import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Postgres

FIRST = "0091"
KEY = ChainKey(Secret("k" * 64))
RECORDS = 300
DIGEST = "sha256:" + "a" * 64
SCHEMAS = ["core", "events", "audit", "token", "webhook", "replication"]


@pytest.fixture
def first(postgres_server: Postgres) -> Iterator[Database]:
    """A database as the first version left it."""
    name = postgres_server.new_database()
    database = Database(postgres_server, name)
    bind = engine(database.settings("owner"))
    with bind.begin() as connection:
        command.upgrade(run._config(connection), FIRST)
    bind.dispose()
    yield database
    postgres_server.drop_database(name)


def context(name: str) -> EventContext:
    """Somebody's."""
    return EventContext(instance_id=UUID(int=1), actor=Actor(kind=ActorKind.USER, name=name))


def login(number: int) -> Envelope:
    """Somebody has signed in."""
    event = UserLoggedIn(username=f"user{number}", user_id=number)
    return parse(build(event, context=context(f"user{number}"), event_id=uuid4(), time=datetime.now(UTC)))


def fill(database: Database) -> None:
    """Accounts, a project with an image, and a record, all by what was there at the first version."""
    with database.superuser() as connection:
        anna = factories.user(connection, "anna")
        factories.user(connection, "gone", disabled=True)
        team = factories.project(connection, "team", members={anna: Role.MAINTAINER})
        factories.robot(connection, "team+ci", {"team": (("repository", "pull"),)}, project_id=team)
        connection.execute(
            """
            WITH repository AS (
                INSERT INTO core.repositories (project_id, name, artifact_count) VALUES (%(project)s, 'team/app', 1)
                RETURNING id
            ), artifact AS (
                INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type,
                                            size, extra_attrs)
                SELECT %(project)s, id, %(digest)s, 'IMAGE', 'application/vnd.oci.image.config.v1+json',
                       'application/vnd.oci.image.manifest.v1+json', 1000, '{}' FROM repository
                RETURNING id, repository_id
            )
            INSERT INTO core.tags (repository_id, artifact_id, name) SELECT repository_id, id, 'v1' FROM artifact
            """,
            {"project": team, "digest": DIGEST},
        )
        connection.execute("UPDATE core.projects SET repository_count = 1, artifact_count = 1 WHERE id = %s", (team,))
        connection.execute("SELECT audit.prepare(now())")
    bind = engine(database.settings("audit"))
    with session_factory(bind).begin() as session:
        entries = [entry_of(login(number)) for number in range(RECORDS)]
        links = KEY.extend(lock_head(session), entries, datetime.now(UTC))
        session.execute(_APPEND, {"batch": json.dumps([_row(link) for link in links])})
    bind.dispose()


class Clients:
    """Somebody who signs in all the time, and whose sign-ins are told."""

    def __init__(self, database: Database) -> None:
        self._bind = engine(database.settings("core"), pool_size=1)
        self._over = Event()
        self._thread = Thread(target=self._work)
        self.told = 0
        self.problem: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._bind.dispose()

    def _work(self) -> None:
        sessions = session_factory(self._bind)
        try:
            while not self._over.wait(0.01):
                with sessions.begin() as session:
                    session.execute(text("SELECT 1 FROM core.users u JOIN core.members m ON m.user_id = u.id"))
                    emit(session, UserLoggedIn(username="anna", user_id=1), context=context("anna"))
                self.told += 1
        except Exception as problem:  # noqa: BLE001 - told by the test
            self.problem = problem


def shape(database: Database) -> dict[str, set[Any]]:
    """Columns, constraints, indexes, functions and rights, as the database's own catalogue has them."""
    queries = {
        "columns": "SELECT table_schema, table_name, column_name, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = ANY (%s)",
        "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = ANY (%s)",
        "indexes": "SELECT schemaname, tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = ANY (%s)",
        "functions": "SELECT p.oid::regprocedure::text, md5(prosrc), prosecdef FROM pg_proc p"
        " JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY (%s)",
        "rights": "SELECT grantee, table_schema, table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = ANY (%s) AND grantee LIKE 'breakwater%%'",
        "rights on columns": "SELECT grantee, table_schema, table_name, column_name, privilege_type"
        " FROM information_schema.column_privileges WHERE table_schema = ANY (%s) AND grantee LIKE 'breakwater%%'",
    }
    with database.superuser() as connection:
        return {
            what: {row for row in connection.execute(query.encode(), (SCHEMAS,)).fetchall() if not _is_of_a_day(row)}
            for what, query in queries.items()
        }


def _is_of_a_day(row: tuple[Any, ...]) -> bool:
    """Partitions are made as time goes by."""
    return any(isinstance(cell, str) and ("log_2" in cell or "records_2" in cell) for cell in row)


def test_everything_is_there_afterwards_and_works_while_it_is_brought_up_to_date(first: Database) -> None:
    fill(first)
    with Clients(first) as clients:
        before = clients.told
        assert run.upgrade(first.settings("owner")) == run.newest()
        eventually(lambda: clients.problem or clients.told >= before + 20, within=20, what="clients go on")
    assert clients.problem is None
    with first.superuser() as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM events.outbox), password_hash,"
            " (SELECT id FROM core.projects WHERE name = 'team') FROM core.users WHERE username = 'anna'"
        ).fetchone()
        anna = directory.find_user(connection.cursor(), "anna")
        gone = directory.find_user(connection.cursor(), "gone")
        robot = directory.find_robot(connection.cursor(), "team+ci")
    assert row is not None
    told, password, team = row
    assert told == clients.told
    assert verify_password(password, factories.PASSWORD)
    assert anna is not None
    assert gone is not None
    assert gone.disabled
    assert robot is not None
    bind = engine(first.settings("core"))
    with session_factory(bind)() as session:
        what = deletable(session, RepositoryName("team/app"))
        assert (what.artifacts, what.tags, what.immutable_tags) == (1, 1, ())
        assert get_project(session, team).name == "team"
    bind.dispose()


def test_a_client_that_takes_tables_in_another_order_is_waited_for_and_not_given_up(first: Database) -> None:
    waiting = (
        "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'core.users'::regclass"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with ThreadPoolExecutor(1) as thread, first.superuser() as client, first.superuser() as watching:
        with client.transaction():
            client.execute("LOCK TABLE core.users IN ACCESS SHARE MODE")
            upgraded = thread.submit(run.upgrade, first.settings("owner"))
            eventually(lambda: watching.execute(waiting).fetchone(), within=20, what="the upgrade waits", every=0.02)
            client.execute("LOCK TABLE core.members IN ACCESS SHARE MODE")
        assert upgraded.result(60) == run.newest()


def test_a_table_that_is_used_for_minutes_is_told_and_leaves_all_as_it_was(
    first: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PATIENCE_SECONDS", 1.0)
    with first.superuser() as client, client.transaction():
        client.execute("LOCK TABLE core.users IN ACCESS SHARE MODE")
        with pytest.raises(QueryGivenUp):
            run.upgrade(first.settings("owner"))
        assert run.current(first.settings("owner")) == FIRST
    assert run.upgrade(first.settings("owner")) == run.newest()


def test_the_record_holds_and_goes_on(first: Database) -> None:
    fill(first)
    run.upgrade(first.settings("owner"))
    bind = engine(first.settings("audit"))
    with session_factory(bind).begin() as session:
        assert record_batch(session, [login(number) for number in range(5)], key=KEY, now=datetime.now(UTC)) == 5
    bind.dispose()
    with connect(first.settings("audit")) as connection:
        verdict = verify(connection, KEY)
    assert verdict.broken is None
    assert verdict.links == RECORDS + 5


def test_it_is_what_a_new_one_is(first: Database, database: Database) -> None:
    fill(first)
    run.upgrade(first.settings("owner"))
    brought, made = shape(first), shape(database)
    for what, found in made.items():
        assert brought[what] == found, what


def test_a_database_of_a_newer_version_is_refused_in_a_sentence_and_left_alone(database: Database) -> None:
    with database.superuser() as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match=r"the database is of a newer version of Breakwater \(revision 9999;"):
        run.upgrade(database.settings("owner"))
    assert run.current(database.settings("owner")) == "9999"
