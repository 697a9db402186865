from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.observation import observe
from services.api.domain.observation import Changes
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, EventContext
from shared.names import Digest, RepositoryName, TagName, parse_reference
from shared.registry.client import RegistryClient
from tests.integration.conftest import Database
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens, registry_server, token_mount
from tests.servers import Postgres

INSTANCE = "4be0643f-1d98-573b-97cd-ca98a65347dd"


@pytest.fixture(scope="session")
def tokens(postgres_server: Postgres) -> Iterator[Tokens]:
    with token_mount(postgres_server) as mounted:
        yield mounted


@pytest.fixture
def registry(tokens: Tokens) -> Iterator[RegistryServer]:
    with registry_server(tokens) as server:
        yield server


@pytest.fixture
def client(registry: RegistryServer, tokens: Tokens) -> RegistryClient:
    return registry.client(tokens)


@pytest.fixture
def pusher(registry: RegistryServer, tokens: Tokens) -> Pusher:
    return Pusher(tokens=tokens, socket=registry.socket)


@pytest.fixture
def sessions(database: Database) -> Iterator[sessionmaker[Session]]:
    """Sessions of the role that metadata has in an instance."""
    bind = engine(database.settings("metadata"), pool_size=8)
    yield session_factory(bind)
    bind.dispose()


@pytest.fixture
def api_sessions(database: Database) -> Iterator[sessionmaker[Session]]:
    """Sessions of the role that the API has in an instance."""
    bind = engine(database.settings("core"), pool_size=8)
    yield session_factory(bind)
    bind.dispose()


@pytest.fixture
def context(database: Database) -> EventContext:
    return EventContext(
        instance_id=database.settings("core").instance_id,
        actor=Actor(kind=ActorKind.USER, name="alice"),
        request_id="request-1",
        address="192.0.2.7",
        user_agent="tests/1",
    )


@dataclass
class Catalogue:
    """The catalogue of one test, observed and read."""

    database: Database
    sessions: sessionmaker[Session]
    client: RegistryClient

    def observe(self, repository: str, *references: str) -> Changes:
        now = datetime.now(UTC)
        parsed = [parse_reference(reference) for reference in references]
        with self.sessions.begin() as session:
            return observe(
                session,
                self.client,
                RepositoryName.parse(repository),
                digests={each: now for each in parsed if isinstance(each, Digest)},
                tags={each: now for each in parsed if isinstance(each, TagName)},
            )

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.database.superuser() as connection:
            return connection.execute(query.encode(), values).fetchall()

    def tags(self, repository: str) -> dict[str, str]:
        rows = self.rows(
            "SELECT t.name, a.digest FROM core.tags t JOIN core.artifacts a ON a.id = t.artifact_id"
            " JOIN core.repositories r ON r.id = t.repository_id WHERE r.name = %s",
            repository,
        )
        return dict(rows)

    def digests(self, repository: str, *, listed: bool | None = None) -> set[str]:
        rows = self.rows(
            "SELECT a.digest, a.listed FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id"
            " WHERE r.name = %s",
            repository,
        )
        return {digest for digest, is_listed in rows if listed is None or is_listed == listed}

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        rows = self.rows("SELECT body FROM events.outbox ORDER BY id")
        return [body for (body,) in rows if kind in body["type"]]

    def expect(self, kind: str, repository: str, reference: str, digest: str | None, *, age: int = 90) -> str:
        """An expectation that the gate left open some seconds ago."""
        rows = self.rows(
            "INSERT INTO events.expected (id, kind, repository, reference, digest, media_type, size, actor, actor_kind,"
            " address, user_agent, request_id, created_at) VALUES (gen_random_uuid(), %s, %s, %s, %s, 'type', 7, 'bob',"
            " 'user', '192.0.2.9', 'skopeo/1', 'r-1', now() - make_interval(secs => %s)) RETURNING id::text",
            kind, repository, reference, digest, age,
        )  # fmt: skip
        return str(rows[0][0])

    def expected(self, expectation_id: str) -> tuple[str, str | None]:
        ((state, by),) = self.rows("SELECT state, settled_by FROM events.expected WHERE id = %s", expectation_id)
        return state, by

    def add_project(self, name: str, *, public: bool = False) -> int:
        ((project_id,),) = self.rows(
            "INSERT INTO core.projects (name, owner_id, public) VALUES (%s, 1, %s) RETURNING id", name, public
        )
        return int(project_id)

    def check(self) -> None:
        """Every counter and sum agrees with the rows it stands for."""
        assert self.rows(
            "SELECT r.name, r.artifact_count, count(a.id) FROM core.repositories r LEFT JOIN core.artifacts a"
            " ON a.repository_id = r.id AND a.listed GROUP BY r.id HAVING r.artifact_count <> count(a.id)"
        ) == []  # fmt: skip
        assert self.rows(
            "SELECT p.name FROM core.projects p WHERE"
            " p.repository_count <> (SELECT count(*) FROM core.repositories r WHERE r.project_id = p.id)"
            " OR p.artifact_count <> (SELECT count(*) FROM core.artifacts a WHERE a.project_id = p.id AND a.listed)"
            " OR p.storage_used <>"
            "    (SELECT coalesce(sum(b.size), 0) FROM core.project_blobs b WHERE b.project_id = p.id)"
        ) == []
        assert self.rows(
            "SELECT a.project_id, b.digest, count(*) FROM core.artifact_blobs b"
            " JOIN core.artifacts a ON a.id = b.artifact_id GROUP BY 1, 2"
            " EXCEPT SELECT project_id, digest, uses FROM core.project_blobs"
        ) == []
        assert self.rows(
            "SELECT a.digest FROM core.artifacts a WHERE a.listed <> ("
            " (EXISTS (SELECT FROM core.tags t WHERE t.artifact_id = a.id)"
            " OR NOT EXISTS (SELECT FROM core.artifact_references r WHERE r.child_id = a.id))"
            " AND NOT EXISTS (SELECT FROM core.artifacts s WHERE s.repository_id = a.repository_id"
            "                 AND s.digest = a.subject))"
        ) == []


@pytest.fixture
def catalogue(database: Database, sessions: sessionmaker[Session], client: RegistryClient) -> Iterator[Catalogue]:
    observed = Catalogue(database, sessions, client)
    yield observed
    observed.check()
