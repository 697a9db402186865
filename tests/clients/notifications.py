"""Notifications as distribution 2.8 sends them, for tests that play the registry."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import requests

from tests.clients.images import OCI_MANIFEST

CONTENT_TYPE: Final = "application/vnd.docker.distribution.events.v1+json"


def event(
    action: str,
    repository: str,
    *,
    digest: str | None = None,
    tag: str | None = None,
    event_id: str | None = None,
    actor: str = "admin",
    method: str | None = None,
    user_agent: str = "skopeo/1.9.3",
) -> dict[str, Any]:
    """One event; a digest is made up where none is given."""
    digest = digest or f"sha256:{hashlib.sha256(uuid.uuid4().bytes).hexdigest()}"
    target: dict[str, Any] = {"digest": digest, "repository": repository}
    if action != "delete":
        url = f"http://127.0.0.1/v2/{repository}/manifests/{digest}"
        target |= {"mediaType": OCI_MANIFEST, "size": 418, "length": 418, "url": url}
    if tag:
        target["tag"] = tag
    return {
        "id": event_id or str(uuid.uuid4()),
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "action": action,
        "target": target,
        "request": {
            "id": str(uuid.uuid4()), "addr": "127.0.0.1", "host": "127.0.0.1:8080",
            "method": method or {"push": "PUT", "pull": "GET", "delete": "DELETE"}.get(action, "POST"),
            "useragent": user_agent,
        },
        "actor": {"name": actor},
        "source": {"addr": "vm:5000", "instanceID": "d41edb33-13e1-4b40-b542-257d3d1efb23"},
    }


def body_of(*events: dict[str, Any]) -> bytes:
    """The request's body."""
    return json.dumps({"events": list(events)}).encode()


class NotificationSender:
    """The registry's side of the intake: one kept-alive connection, one request at a time."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Content-Type"] = CONTENT_TYPE
        if token is not None:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def post(self, body: bytes, **headers: str) -> requests.Response:
        return self._http.post(self.url, data=body, headers=headers, timeout=30)

    def close(self) -> None:
        self._http.close()
