"""A query that takes too long is told and logged as what it is; the connection it ran on goes on being used."""

from collections.abc import Iterator

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Api, code, sentence


@pytest.fixture
def hasty(core_database: Database) -> Iterator[Api]:
    """The API with a patience of a fifth of a second, and one connection."""
    settings = core_database.settings("core")
    bind = engine(settings, pool_size=1, statement_timeout_ms=200)
    yield Api(TestClient(build(settings, bind, build_login(settings, bind))), core_database)
    bind.dispose()


@pytest.mark.parametrize("table", ["core.projects", "core.users"], ids=["in the request", "in signing in"])
def test_a_query_that_takes_too_long_is_503_and_no_lost_database(
    hasty: Api, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    connected = "SELECT pid FROM pg_stat_activity WHERE usename = 'breakwater_core' AND datname = current_database()"
    assert hasty.get("/projects").status_code == 200
    with hasty.database.superuser() as rows:
        before = rows.execute(connected).fetchall()
        with rows.transaction():
            rows.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            answer = hasty.get("/projects", ADMIN)
        assert rows.execute(connected).fetchall() == before
    assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
    assert sentence(answer).startswith("the database took too long over this")
    assert "database away" not in capsys.readouterr().out
    assert hasty.get("/projects").status_code == 200
