"""The one query that every token waits for stays a handful of index scans, however many members and groups exist."""

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
    ANALYZE;
"""


@pytest.fixture
def filled(database: Database) -> Database:
    with database.superuser() as connection:
        connection.execute(FILL)
    return database


def _plan(connection: psycopg.Connection[Any], source: str) -> str:
    row = connection.execute("SELECT id FROM core.users WHERE source = %s AND id > 9 LIMIT 1", (source,)).fetchone()
    assert row
    query = directory._naming(directory._USER_WITH_RIGHTS, 2)
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.execute("PREPARE hot (text, text, integer) AS " + query % ("$1", "$2", "$3"))
    explained = connection.execute(f"EXPLAIN (ANALYZE, COSTS OFF) EXECUTE hot ('p7', 'p500', {row[0]})")
    return "\n".join(line for (line,) in explained.fetchall())


@pytest.mark.parametrize("source", ["database", "ldap"])
def test_it_reads_no_table_from_end_to_end(filled: Database, source: str) -> None:
    with filled.superuser() as connection:
        plan = _plan(connection, source)
    assert not re.search(r"Seq Scan on (users|projects|members|user_group)", plan), plan
    assert "One-Time Filter" in plan, plan
    groups = next(line for line in plan.splitlines() if "user_group_members" in line)
    assert ("never executed" in groups) == (source == "database"), plan
