"""A database that the first version itself has filled, brought up to date: every row, form and hash is of its own code.

`first_version.sql.gz` is what pg_dump said of an instance of that version (the last commit before revision 0092) after
its tour and a company's first minutes: accounts, a project, a robot account, images pushed, pulled and deleted, a wrong
password. The key of its record is KEY.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from services.api.queries.repository import deletable
from services.audit.commands import record_batch
from services.audit.domain.chain import ChainKey
from services.audit.queries.verification import verify
from shared import directory
from shared.auth.passwords import verify_password
from shared.db import engine, session_factory
from shared.events.envelope import parse
from shared.migrations import run
from shared.names import RepositoryName
from shared.postgres import connect
from shared.secrets import Secret
from tests.integration.conftest import Database
from tests.integration.schema.test_upgrade import FIRST, login, shape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Postgres

DUMP: Final = Path(__file__).with_name("first_version.sql.gz")
KEY: Final = ChainKey(Secret("715235c44ad83ec127bac647f848dda5597b815b36370e39a4fe2ab1af9a4bbb"))
PASSWORD: Final = "Correct1horse"
ROBOT: Final = "Bw1pfmg-nKvGImtPjiWQm2QY5XCtbkFffH4spGVdEfm"
EVENTS: Final = 19


@pytest.fixture(scope="module")
def old(postgres_server: Postgres) -> Iterator[Database]:
    """As that version left it, and then brought up to date."""
    name = postgres_server.new_database()
    database = Database(postgres_server, name)
    with database.superuser() as connection:
        connection.execute(gzip.decompress(DUMP.read_bytes()))
    assert run.current(database.settings("owner")) == FIRST
    assert run.upgrade(database.settings("owner")) == run.newest()
    yield database
    postgres_server.drop_database(name)


def test_accounts_sign_in_as_before(old: Database) -> None:
    with old.superuser() as connection:
        hashes = dict(connection.execute("SELECT username, password_hash FROM core.users").fetchall())
        anna = directory.find_user(connection.cursor(), "anna")
        gone = directory.find_user(connection.cursor(), "gone")
        robot = directory.find_robot(connection.cursor(), "team+ci")
    assert verify_password(hashes["anna"], PASSWORD)
    assert not verify_password(hashes["anna"], ROBOT)
    assert anna is not None
    assert not anna.disabled
    assert gone is not None
    assert gone.disabled
    assert robot is not None
    assert verify_password(robot.secret_hash, ROBOT)


def test_images_are_those_that_were_pushed_and_not_deleted(old: Database) -> None:
    bind = engine(old.settings("core"))
    with session_factory(bind)() as session:
        found = {name: deletable(session, RepositoryName(name)) for name in ("team/app", "team/multi", "library/tour")}
    bind.dispose()
    assert {name: (each.artifacts, each.tags) for name, each in found.items()} == {
        "team/app": (2, 2), "team/multi": (3, 1), "library/tour": (1, 1),
    }  # fmt: skip


def test_every_event_of_the_log_is_read_as_it_was_meant(old: Database) -> None:
    with old.superuser() as connection:
        rows = connection.execute("SELECT event_id, type, body FROM events.log ORDER BY sequence").fetchall()
    assert len(rows) == EVENTS
    for event_id, kind, body in rows:
        envelope = parse(body)
        assert (envelope.id, envelope.event.type) == (event_id, kind)


def test_the_record_holds_link_by_link_and_goes_on(old: Database) -> None:
    with connect(old.settings("audit")) as connection:
        verdict = verify(connection, KEY)
    assert (verdict.broken, verdict.links) == (None, EVENTS)
    bind = engine(old.settings("audit"))
    with session_factory(bind).begin() as session:
        assert record_batch(session, [login(number) for number in range(5)], key=KEY, now=datetime.now(UTC)) == 5
    bind.dispose()
    with connect(old.settings("audit")) as connection:
        verdict = verify(connection, KEY)
    assert (verdict.broken, verdict.links) == (None, EVENTS + 5)


def test_it_is_what_a_new_one_is(old: Database, database: Database) -> None:
    brought, made = shape(old), shape(database)
    for what, found in made.items():
        assert brought[what] == found, what
