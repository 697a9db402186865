"""Requests for tokens are counted by what was shown and how they ended, over all workers, and told at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from shared.auth.roles import Role
from shared.settings import Settings
from tests import factories
from tests.integration.conftest import Database
from tests.integration.token.mount import SYSTEM_CREDENTIAL, Mount, basic, token_mount
from tests.integration.told import told

Ask = Callable[[Mount], object]


def system(mount: Mount, credential: str) -> object:
    body = json.dumps({"service": "metadata", "scope": ["repository:library/app:pull"]}).encode()
    return mount.send("POST", "/internal/token", body, Authorization=f"Bearer {credential}")


def on_v2(mount: Mount, name: str, path: str) -> object:
    return mount.send(
        "GET", "/internal/basic", X_Original_Method="PUT", X_Original_URI=path, X_Forwarded_For="192.0.2.61",
        Authorization=basic(name),
    )  # fmt: skip


ENDS: dict[tuple[str, str], Ask] = {
    ("password", "issued"): lambda mount: mount.get("paula"),
    ("password", "unauthorized"): lambda mount: mount.get("paula", password="Wrong1password"),
    ("nothing", "issued"): lambda mount: mount.get(None, "repository:library/app:pull"),
    ("nothing", "unauthorized"): lambda mount: mount.get(None),
    ("refresh_token", "unauthorized"): lambda mount: mount.post(grant_type="refresh_token", refresh_token="none"),
    ("unread", "bad_request"): lambda mount: mount.post(grant_type="nonsense"),
    ("system", "issued"): lambda mount: system(mount, SYSTEM_CREDENTIAL),
    ("system", "unauthorized"): lambda mount: system(mount, "wrong"),
    ("request", "issued"): lambda mount: on_v2(mount, "paula", "/v2/counted/app/manifests/v1"),
    ("request", "denied"): lambda mount: on_v2(mount, "paula", "/v2/library/app/manifests/v1"),
    ("unread", "method_not_allowed"): lambda mount: mount.send("DELETE", "/auth/token"),
}


@pytest.fixture(scope="module")
def counted(token_settings: Settings, token_database: Database, rows: psycopg.Connection[Any]) -> dict[Any, float]:
    """What two workers have told after each kind of request was made twice, and they were stopped."""
    project = factories.project(rows, "counted")
    factories.member(rows, project, factories.user(rows, "paula"), Role.DEVELOPER)
    with token_mount(token_settings, token_database, workers=2) as mount:
        for ask in ENDS.values():
            for _ in range(2):
                ask(mount)
    return told(token_database, "token")


@pytest.mark.parametrize(("grant", "outcome"), ENDS)
def test_a_request_for_a_token_counts_by_what_was_shown_and_its_end(
    counted: dict[Any, float], grant: str, outcome: str
) -> None:
    assert counted["tokens", grant, outcome] == 2


def test_nothing_else_counts_as_one(counted: dict[Any, float]) -> None:
    assert {key[1:] for key in counted if key[0] == "tokens"} == set(ENDS)


def test_answers_count_by_their_status_and_the_health_check_does_not(counted: dict[Any, float]) -> None:
    by_status = {key[1:]: value for key, value in counted.items() if key[0] == "http_requests"}
    assert by_status["token", "GET", "200"] == 4
    assert by_status["token", "GET", "401"] == 4
    assert by_status["internal", "POST", "200"] == 2
    assert sum(by_status.values()) == 2 * len(ENDS)
    assert sum(value for key, value in counted.items() if key[0] == "http_request_seconds" and key[-1] != "sum") == (
        2 * len(ENDS)
    )
