"""The real registry in front of the intake: what it sends is what the intake expects."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clients.images import OCI_INDEX, digest_of
from tests.integration.broker import eventually
from tests.integration.conftest import Database
from tests.integration.webhook.conftest import Intake, intake_of
from tests.servers import free_port, registry


class OverSocket(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("registry.example")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, url: str, body: bytes | None = None) -> int:
    """The status of one request."""
    connection = OverSocket(path)
    headers = {
        "User-Agent": "tests/1 rid/r-1",
        "Content-Type": OCI_INDEX,
        "Accept": OCI_INDEX,
        "X-Forwarded-For": "10.9.8.7",
    }
    connection.request(method, url, body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def manifest() -> bytes:
    """An index that needs no blobs, and is like no other."""
    index = {
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "annotations": {"unique": str(uuid4())}
    }  # fmt: skip
    return json.dumps(index).encode()


@pytest.fixture
def socket_path(intake: Intake) -> Iterator[Path]:
    url = f"http://127.0.0.1:{intake.port}/service/notifications"
    with registry(notifications=url, notification_token=intake.token) as path:
        yield path


def kinds(intake: Intake) -> list[str]:
    return [body["type"].removeprefix("breakwater.").removesuffix(".v1") for body in intake.outbox()]


def test_push_pull_and_delete_are_events_and_a_look_is_none(intake: Intake, socket_path: Path) -> None:
    content = manifest()
    digest = digest_of(content)
    assert ask(socket_path, "PUT", "/v2/library/app/manifests/v1", content) == 201
    assert ask(socket_path, "HEAD", "/v2/library/app/manifests/v1") == 200
    assert ask(socket_path, "GET", "/v2/library/app/manifests/v1") == 200
    assert ask(socket_path, "GET", f"/v2/library/app/manifests/{digest}") == 200
    assert ask(socket_path, "DELETE", f"/v2/library/app/manifests/{digest}") == 202
    expected = ["artifact.pushed", "artifact.pulled", "artifact.pulled", "artifact.deleted", "tag.deleted"]
    eventually(lambda: kinds(intake), expected)
    pushed = intake.outbox()[0]
    assert pushed["subject"] == "library/app:v1"
    assert pushed["data"]["digest"] == digest
    assert pushed["data"]["media_type"] == OCI_INDEX
    assert pushed["data"]["client"] == {"address": "10.9.8.7", "user_agent": "tests/1"}
    assert pushed["data"]["request_id"] == "r-1"
    assert pushed["actorkind"] == "anonymous"
    assert intake.parked() == []


def test_what_waited_for_the_intake_arrives_once(database: Database, tmp_path: Path) -> None:
    port = free_port()
    with registry(notifications=f"http://127.0.0.1:{port}/service/notifications", notification_token="t") as path:
        for tag in ("v1", "v2", "v3"):
            assert ask(path, "PUT", f"/v2/library/app/manifests/{tag}", manifest()) == 201
        with intake_of(database, tmp_path / "log", port=port, token="t") as intake:
            eventually(lambda: kinds(intake), ["artifact.pushed"] * 3, seconds=30)
            assert [body["subject"] for body in intake.outbox()] == [f"library/app:v{number}" for number in (1, 2, 3)]
