"""The REST API as a script uses it: paths in, answers out, and by name the few calls that many tests need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT: Final = 60
ROLES: Final[Mapping[str, int]] = {
    "projectAdmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedGuest": 5,
}


class RestClient:
    """One user of the API; with no name, anonymous."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.username = username
        self.credentials = (username, password or "") if username is not None else None
        self._http = requests.Session()
        self._http.trust_env = False

    def close(self) -> None:
        self._http.close()

    def send(self, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - requests' own keywords
        """One request below /api/v2.0, whatever the answer."""
        more.setdefault("timeout", TIMEOUT)
        return self._http.request(
            method, f"{self.url}/api/v2.0{path}", auth=self.credentials, allow_redirects=False, **more,
        )

    def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - JSON
        """The body of a GET that must succeed."""
        answer = self.send("GET", path, params=parameters)
        assert answer.ok, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def count(self, path: str, **parameters: object) -> int:
        """How many a list has in all, by its X-Total-Count."""
        answer = self.send("GET", path, params={**parameters, "page_size": 1})
        assert answer.ok, f"GET {path}: {answer.status_code} {answer.text}"
        return int(answer.headers["X-Total-Count"])

    def every(self, path: str, **parameters: object) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page."""
        page = 1
        while True:
            rows = self.get(path, **{**parameters, "page": page, "page_size": 100})
            yield from rows
            if len(rows) < 100:
                return
            page += 1

    def must(self, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - requests' own keywords
        """One request that must succeed."""
        answer = self.send(method, path, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    # the calls many tests need

    def create_project(self, name: str, *, public: bool = False) -> int:
        body = {"project_name": name, "metadata": {"public": str(public).lower()}}
        return _made(self.must("POST", "/projects", json=body))

    def create_user(self, username: str, password: str) -> int:
        body = {
            "username": username, "password": password, "email": f"{username}@example.test", "realname": username,
            "comment": "",
        }
        return _made(self.must("POST", "/users", json=body))

    def add_member(self, project: str, username: str, role: str) -> int:
        body = {"role_id": ROLES[role], "member_user": {"username": username}}
        return _made(self.must("POST", f"/projects/{project}/members", json=body))

    def create_robot(
        self, name: str, project: str, actions: tuple[str, ...], *, level: str = "project",
    ) -> tuple[str, str, int]:
        """A robot with `repository` rights on one project: its full name, its secret, its id."""
        body = {
            "name": name, "level": level, "duration": -1, "disable": False, "description": "",
            "permissions": [
                {"kind": "project", "namespace": project,
                 "access": [{"resource": "repository", "action": action} for action in actions]},
            ],
        }
        made = self.must("POST", "/robots", json=body).json()
        return made["name"], made["secret"], made["id"]

    def artifacts(self, repository: str, **parameters: object) -> list[dict[str, Any]]:
        """Every artifact of `project/rest`; an unknown repository has none."""
        path = f"{repository_path(repository)}/artifacts"
        if self.send("GET", path, params={"page_size": 1}).status_code == requests.codes.not_found:
            return []
        return list(self.every(path, **parameters))

    def accessories(self, repository: str, reference: str) -> list[dict[str, Any]]:
        """What is about an artifact of `project/rest`; nothing is about one that is not catalogued."""
        path = f"{repository_path(repository)}/artifacts/{reference}/accessories"
        if self.send("GET", path).status_code == requests.codes.not_found:
            return []
        return list(self.every(path))

    def audit(self, project: str | None = None, **parameters: object) -> list[dict[str, Any]]:
        """Every audit row of a project, or of the whole system."""
        path = f"/projects/{project}/auditlog-exts" if project else "/auditlog-exts"
        return list(self.every(path, **parameters))


def repository_path(repository: str) -> str:
    """The API's path of `project/a/b`, its slashes doubly encoded as Harbor's clients send them."""
    project, _, rest = repository.partition("/")
    return f"/projects/{project}/repositories/{quote(quote(rest, safe=''), safe='')}"


def _made(answer: requests.Response) -> int:
    return int(answer.headers["Location"].rsplit("/", 1)[1])
