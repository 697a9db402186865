"""The API as Terraform's provider for Harbor speaks to it, told from the provider's source.

Each request bears Basic credentials and a JSON body, that of a read or deletion being `null`; each has one status that
is no error; what was made is known by its Location from then on. Members that are empty are left out of a body, but
for objects, which stay as `{}`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

API: Final = "/api/v2.0"
_SECONDS: Final = 60


class Provider:
    """The provider, configured with an address and somebody's password."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._url = f"{url}{API}"
        self._credentials = (username, password)

    def send(self, method: str, path: str, body: Mapping[str, Any] | None, status: int) -> requests.Response:
        """One request by a connection of its own, whose answer must have this status."""
        answer = requests.request(
            method, f"{self._url}{path}", data=json.dumps(body) + "\n", auth=self._credentials, timeout=_SECONDS,
            headers={"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1"}, allow_redirects=False,
        )  # fmt: skip
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def create(self, path: str, body: Mapping[str, Any]) -> str:
        """Returns the id of a new resource: its Location without the API's prefix."""
        location = self.send("POST", path, body, 201).headers["Location"]
        return location.replace("/api", "").replace("/v2.0", "")

    def read(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What is there now: what differs from the configuration, `plan` would change."""
        return self.send("GET", path, None, 200).json()

    def update(self, path: str, body: Mapping[str, Any]) -> None:
        """Puts all of it anew."""
        self.send("PUT", path, body, 200)

    def destroy(self, path: str) -> None:
        """It is gone afterwards."""
        self.send("DELETE", path, None, 200)
        self.send("GET", path, None, 404)
