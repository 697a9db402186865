"""Connections that are lost while the pool keeps them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from shared import db
from shared.db import engine, session_factory, unavailable_when_down
from shared.errors import Unavailable
from tests.integration.conftest import Database

BACKEND = text("SELECT pg_backend_pid()")


@pytest.fixture
def sessions(database: Database) -> Iterator[sessionmaker[Session]]:
    bind = engine(database.settings("core"), pool_size=2)
    yield session_factory(bind)
    bind.dispose()


def lose(database: Database, sessions: sessionmaker[Session]) -> None:
    """End the connection that the pool holds, from the server's side."""
    with sessions() as session:
        number = session.scalar(BACKEND)
    with database.superuser() as superuser:
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", (number,))


def test_a_connection_that_was_lost_while_it_rested_is_made_anew(
    database: Database, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(database, sessions)
    monkeypatch.setattr(db, "_GOOD_SECONDS", 0.0)
    with sessions() as session:
        assert session.scalar(text("SELECT 1")) == 1


def test_a_connection_that_is_lost_a_moment_after_its_last_use_costs_one_request_alone(
    database: Database, sessions: sessionmaker[Session]
) -> None:
    with sessions() as first, sessions() as second:
        for session in (first, second):
            session.execute(BACKEND)
    with database.superuser() as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(Unavailable), unavailable_when_down(), sessions() as session:
        session.execute(BACKEND)
    for _ in range(3):
        with sessions() as session:
            assert session.scalar(text("SELECT 1")) == 1
