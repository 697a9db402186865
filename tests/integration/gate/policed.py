"""A project under policies, as the gate's tests need one, and how a refusal of the gate reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.api.commands.observation import observe
from services.api.queries.quota import get_quota
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, EventContext
from shared.names import Digest, RepositoryName, TagName

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

    from tests.integration.conftest import Database
    from tests.integration.registry_rig import Answer, RegistryServer, Tokens


@dataclass
class Project:
    """A project of one test, and how it is set up behind the API's back."""

    name: str
    database: Database
    sessions: sessionmaker[Session]
    registry: RegistryServer
    tokens: Tokens

    @property
    def app(self) -> str:
        return f"{self.name}/app"

    @property
    def context(self) -> EventContext:
        actor = Actor(kind=ActorKind.USER, name="alice")
        return EventContext(instance_id=self.database.settings("metadata").instance_id, actor=actor)

    def limit(self, size: int) -> None:
        self._execute("UPDATE core.projects SET storage_limit = %s WHERE name = %s", size, self.name)

    def hold_fast(self, pattern: str) -> None:
        self._execute(
            "INSERT INTO core.immutable_rules (project_id, repository_selectors, tag_selectors)"
            " SELECT id, %s, %s FROM core.projects WHERE name = %s",
            json.dumps([{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}]),
            json.dumps([{"kind": "doublestar", "decoration": "matches", "pattern": pattern, "extras": ""}]),
            self.name,
        )

    def catalogue(self, *tags: str, digests: tuple[str, ...] = ()) -> None:
        """What metadata does when it is told."""
        now = datetime.now(UTC)
        with self.sessions.begin() as session:
            observe(
                session,
                self.registry.client(self.tokens),
                RepositoryName.parse(self.app),
                digests={Digest(digest): now for digest in digests},
                tags={TagName(tag): now for tag in tags},
            )

    def used(self) -> int:
        return int(self.value("SELECT storage_used FROM core.projects WHERE name = %s", self.name))

    def shown(self) -> int:
        """As the API's quotas show it."""
        number = self.value("SELECT id FROM core.projects WHERE name = %s", self.name)
        bind = engine(self.database.settings("core"), pool_size=1)
        try:
            with session_factory(bind)() as session:
                return get_quota(session, int(str(number))).used
        finally:
            bind.dispose()

    def reserved(self) -> int:
        return int(
            self.value(
                "SELECT count(*) FROM core.quota_reservations r JOIN core.projects p ON p.id = r.project_id"
                " WHERE p.name = %s",
                self.name,
            )
        )

    def departing(self) -> int:
        return int(
            self.value(
                "SELECT count(*) FROM core.quota_departures d JOIN core.projects p ON p.id = d.project_id"
                " WHERE p.name = %s",
                self.name,
            )
        )

    def events(self, noun: str) -> list[dict[str, object]]:
        with self.database.superuser() as connection:
            rows = connection.execute(
                "SELECT body->'data' FROM events.outbox WHERE type LIKE %s AND project = %s ORDER BY id",
                (f"breakwater.{noun}.%", self.name),
            ).fetchall()
        return [row[0] for row in rows]

    def value(self, query: str, *values: object) -> object:
        with self.database.superuser() as connection:
            row = connection.execute(query.encode(), values).fetchone()
        return row and row[0]

    def _execute(self, query: str, *values: object) -> None:
        with self.database.superuser() as connection:
            connection.execute(query.encode(), values)


def refusal(answer: Answer) -> tuple[int, str, str]:
    error = json.loads(answer.body)["errors"][0]
    return answer.status, error["code"], error["message"]


def size_of(*images: object) -> int:
    """Bytes of all blobs and manifests of some images, each once."""
    parts = {blob.digest: len(blob.content) for image in images for blob in (*image.blobs, image.manifest)}  # type: ignore[attr-defined]  # images of one kind
    return sum(parts.values())
