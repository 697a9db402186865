"""The door by which replication has a project made before something comes in: for the system's own bearer alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest

from services.token.domain import Access
from tests.integration.conftest import Database
from tests.integration.gate.conftest import Reader
from tests.integration.registry_rig import Tokens


def bearer(tokens: Tokens, subject: str, repository: str, *actions: str) -> str:
    issuer = tokens.issuer(lifetime=timedelta(minutes=5))
    access = [Access(type="repository", name=repository, actions=actions)]
    return f"Bearer {issuer.issue(subject, access, datetime.now(UTC)).token}"


@pytest.fixture
def project() -> str:
    return f"incoming-{token_hex(4)}"


def test_a_missing_project_is_made_once_private_and_the_first_administrators(
    reader: Reader, tokens: Tokens, database: Database, project: str
) -> None:
    repository = f"{project}/team/app"
    authorization = bearer(tokens, "system:replication", repository, "pull", "push")
    statuses = [
        reader.ask(f"/internal/repositories/{repository}", method="PUT", authorization=authorization).status
        for _ in range(2)
    ]
    assert statuses == [201, 204]
    with database.superuser() as connection:
        made = connection.execute(
            "SELECT owner_id, public, storage_limit FROM core.projects WHERE name = %s", (project,)
        ).fetchall()
        told = connection.execute(
            "SELECT body ->> 'actor' FROM events.outbox WHERE type = 'breakwater.project.created.v1'"
            " AND project = %s", (project,)
        ).fetchall()  # fmt: skip
    assert made == [(1, False, -1)]
    assert told == [("system:replication",)]


@pytest.mark.parametrize(
    ("subject", "actions", "status"),
    [("admin", ("pull", "push"), 403), ("robot$mover", ("pull", "push"), 403), ("system:replication", ("pull",), 403),
     ("system:replication", (), 403)],
)  # fmt: skip
def test_nobody_else_has_one_made(
    reader: Reader, tokens: Tokens, project: str, subject: str, actions: tuple[str, ...], status: int
) -> None:
    authorization = bearer(tokens, subject, f"{project}/app", *actions)
    answer = reader.ask(f"/internal/repositories/{project}/app", method="PUT", authorization=authorization)
    assert answer.status == status
    elsewhere = bearer(tokens, "system:replication", "another/app", "push")
    answer = reader.ask(f"/internal/repositories/{project}/app", method="PUT", authorization=elsewhere)
    assert answer.status == 403


@pytest.mark.parametrize("authorization", [None, "Bearer not.a.token", "Basic YWRtaW46eA=="])
def test_without_a_bearer_nothing_happens(reader: Reader, project: str, authorization: str | None) -> None:
    answer = reader.ask(f"/internal/repositories/{project}/app", method="PUT", authorization=authorization)
    assert answer.status == 401


@pytest.mark.parametrize("repository", ["UPPER/app", "alone", "a/../b"])
def test_what_is_no_repository_is_refused(reader: Reader, tokens: Tokens, repository: str) -> None:
    authorization = bearer(tokens, "system:replication", repository, "push")
    answer = reader.ask(f"/internal/repositories/{repository}", method="PUT", authorization=authorization)
    assert answer.status in (400, 404)
    assert json.loads(answer.body)["errors"]
