"""The query that tokens wait for stays a handful of index scans, however many members and groups exist."""

import re
from typing import Any

import psycopg
import pytest

from shared import directory
from tests.integration.conftest import Database

FILL = """
    INSERT INTO core.users (username, source) SELECT 'u' || n, CASE WHEN n % 2 = 0 THEN 'ldap' ELSE 'database' END
        FROM generate_series(1, 5000) n;
    INSERT INTO core.projects (name, owner_id) SELECT 'p' || n, 1 FROM generate_series(1, 1000) n;
    INSERT INTO core.user_groups (name, ldap_dn) SELECT 'g' || n, 'cn=g' || n FROM generate_series(1, 300) n;
    INSERT INTO core.members (project_id, user_id, role_id)
        SELECT p.id, u.id, 2 FROM core.projects p JOIN core.users u ON (u.id + p.id) % 500 = 0;
    INSERT INTO core.members (project_id, group_id, role_id)
        SELECT p.id, g.id, 3 FROM core.projects p JOIN core.user_groups g ON (g.id + p.id) % 100 = 0;
    INSERT INTO core.user_group_members (user_id, group_id)
        SELECT u.id, g.id FROM core.users u JOIN core.user_groups g ON (g.id + u.id) % 30 = 0 WHERE u.source = 'ldap';
    INSERT INTO core.robots (name, project_id, permissions, secret_hash)
        SELECT name || '+ci', id, '[]', '' FROM core.projects;
    ANALYZE;
"""


@pytest.fixture
def filled(database: Database) -> Database:
    with database.superuser() as connection:
        connection.execute(FILL)
    return database


def _plan(connection: psycopg.Connection[Any], query: str, accounts: list[int]) -> str:
    """How two projects are asked for by each of some accounts at once."""
    connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_memoize = off")
    connection.execute("PREPARE hot (bigint[], bigint[], text[]) AS " + query % ("$1", "$2", "$3"))
    places = [place for place in range(len(accounts)) for _ in range(2)]
    numbers = [number for number in accounts for _ in range(2)]
    names = ["p7", "p500"] * len(accounts)
    listed = ", ".join(f"'{{{','.join(map(str, each))}}}'" for each in (places, numbers, names))
    explained = connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE hot ({listed})")
    return "\n".join(line for (line,) in explained.fetchall())


def _some(connection: psycopg.Connection[Any], query: str, *arguments: str) -> list[int]:
    found = [number for (number,) in connection.execute(f"{query} LIMIT 8", arguments).fetchall()]
    assert len(found) == 8
    return found


@pytest.mark.parametrize("source", ["database", "ldap"])
def test_it_reads_no_table_from_end_to_end(filled: Database, source: str) -> None:
    with filled.superuser() as connection:
        users = _some(connection, "SELECT id FROM core.users WHERE source = %s AND id > 9", source)
        plan = _plan(connection, directory._USERS_WITH_RIGHTS, users)
    assert not re.search(r"Seq Scan on (users|projects|members|user_group)", plan), plan
    assert "One-Time Filter" in plan, plan
    groups = next(line for line in plan.splitlines() if "user_group_members" in line)
    assert ("never executed" in groups) == (source == "database"), plan


def test_that_of_robot_accounts_does_not_either(filled: Database) -> None:
    with filled.superuser() as connection:
        robots = _some(connection, "SELECT id FROM core.robots")
        plan = _plan(connection, directory._ROBOTS_WITH_RIGHTS, robots)
    assert not re.search(r"Seq Scan on (robots|projects)", plan), plan
