"""What the revision about robots does to accounts that were made before it."""

from collections.abc import Iterator

import pytest
from alembic import command

from shared.db import engine
from shared.migrations import run
from tests import factories
from tests.integration.conftest import Database
from tests.servers import Postgres

PULL = (("repository", "pull"),)


@pytest.fixture
def before(postgres_server: Postgres) -> Iterator[Database]:
    """A database at the revision before."""
    name = postgres_server.new_database()
    database = Database(postgres_server, name)
    bind = engine(database.settings("owner"))
    with bind.begin() as connection:
        command.upgrade(run._config(connection), "0091")
    bind.dispose()
    yield database
    postgres_server.drop_database(name)


def test_rights_in_projects_that_are_gone_or_younger_are_taken_away(before: Database) -> None:
    with before.superuser() as connection:
        for name in ("there", "deleted", "again"):
            factories.project(connection, name)
        places = ["there", "deleted", "again", "never", "*", "/"]
        robot = factories.robot(connection, "wide", dict.fromkeys(places, PULL))
        connection.execute("UPDATE core.projects SET deleted_at = now() WHERE name IN ('deleted', 'again')")
        factories.project(connection, "again")
        own = factories.robot(connection, "there+ci", {"there": PULL}, project_id=1)
    run.upgrade(before.settings("owner"))
    with before.superuser() as connection:
        kept = dict(connection.execute("SELECT id, permissions FROM core.robots").fetchall())
    assert [each["namespace"] for each in kept[robot]] == ["there", "*", "/"]
    assert kept[robot][0]["access"] == [{"resource": "repository", "action": "pull"}]
    assert [each["namespace"] for each in kept[own]] == ["there"]


def test_who_made_an_account_is_found_by_the_name_that_was_kept(before: Database) -> None:
    made_by = {"anna": "user", "bot$library+parent": "robot", "gone": None, "gone$away": None, "": None}
    with before.superuser() as connection:
        anna = factories.user(connection, "anna")
        parent = factories.robot(connection, "library+parent", {"library": PULL}, project_id=1)
        for number, creator in enumerate(made_by):
            child = factories.robot(connection, f"child{number}", {"*": PULL})
            connection.execute("UPDATE core.robots SET creator = %s WHERE id = %s", (creator, child))
    run.upgrade(before.settings("owner"))
    with before.superuser() as connection:
        found = connection.execute(
            "SELECT creator_kind, creator_id FROM core.robots WHERE name LIKE 'child%' ORDER BY name"
        ).fetchall()
    assert found == [("user", anna), ("robot", parent), (None, None), (None, None), (None, None)]
