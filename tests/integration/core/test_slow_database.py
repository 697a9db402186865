"""A query that takes too long is told and logged as what it is; the connection it ran on goes on being used."""

from collections.abc import Iterator

import pytest
import structlog.testing
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.integration.conftest import Database
from tests.integration.core.people import Api, code, sentence


@pytest.fixture
def hasty(core_database: Database) -> Iterator[Api]:
    """The API with a patience of a fifth of a second, and one connection."""
    settings = core_database.settings("core")
    bind = engine(settings, pool_size=1, statement_timeout_ms=200)
    yield Api(TestClient(build(settings, bind, build_login(settings, bind))), core_database)
    bind.dispose()


@pytest.mark.parametrize(
    "table", ["core.projects", "core.users", "core.members"], ids=["in the request", "in signing in", "in the rights"]
)
def test_a_query_that_takes_too_long_is_503_and_no_lost_database(hasty: Api, table: str) -> None:
    connected = "SELECT pid FROM pg_stat_activity WHERE usename = 'breakwater_core' AND datname = current_database()"
    project = hasty.project()
    member = hasty.member(project, "guest")
    assert hasty.get(f"/projects/{project}", member).status_code == 200
    with hasty.database.superuser() as rows, structlog.testing.capture_logs() as logged:
        before = rows.execute(connected).fetchall()
        with rows.transaction():
            rows.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            answer = hasty.get(f"/projects/{project}", member)
        assert rows.execute(connected).fetchall() == before
    assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
    assert sentence(answer).startswith("the database took too long over this")
    assert ("query given up" in {line["event"] for line in logged}) is (table != "core.users")
    assert not {"database away", "failed"} & {line["event"] for line in logged}
    assert hasty.get(f"/projects/{project}", member).status_code == 200
