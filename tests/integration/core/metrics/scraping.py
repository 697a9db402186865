"""Reads the metrics as Prometheus does, and tells of parts as they do themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from falcon.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from shared.settings import Settings
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Api, Caller

COMPONENTS = ("events", "parts", "record", "replication", "requests", "storage")
Key = tuple[str, frozenset[tuple[str, str]]]


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    bind = engine(settings, pool_size=4)
    login = build_login(settings, bind)
    yield TestClient(build(settings, bind, login))
    login.ldap.close()
    bind.dispose()


def scrape(client: TestClient, caller: Caller = ADMIN, query: str = "") -> dict[Key, float]:
    answer = client.simulate_get("/metrics", query_string=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name.removeprefix("breakwater_"), frozenset(sample.labels.items())): sample.value
        for family in read_text(answer.text)
        for sample in family.samples
    }


def values(api: Api, name: str, label: str = "") -> dict[str, float]:
    """The values of a metric by one label."""
    return {
        dict(labels).get(label, ""): value for (each, labels), value in scrape(api.client).items() if each == name
    }


def tell(database: Database, part: str, tally: Tally | None = None) -> None:
    Recorder(database.settings(part), tally or Tally()).tell()


def rows(database: Database, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    with database.superuser() as connection:
        cursor = connection.execute(statement.encode(), arguments)
        return cursor.fetchall() if cursor.description else []
