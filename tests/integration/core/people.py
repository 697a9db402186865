"""Callers of the API and the few calls that many tests make."""

import json
from base64 import b64encode
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Self

from falcon.testing import Result, TestClient

from gateway.core.middleware.authentication import SAFE
from gateway.core.unbuilt import Unbuilt
from shared.auth.passwords import hash_password
from tests.integration.conftest import Database
from tests.integration.core.unchanged import Unchanged

BASE = "/api/v2.0"
PASSWORD = "Correct1horse"
ROLES = {"projectAdmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedGuest": 5}
_numbers = count(1)
_HASH = hash_password(PASSWORD)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody with a name and a password; nobody without a name."""

    name: str = ""
    password: str = field(default=PASSWORD, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        if not self.name:
            return {}
        return {"Authorization": "Basic " + b64encode(f"{self.name}:{self.password}".encode()).decode()}


ADMIN = Caller(name="admin")
NOBODY = Caller()


@dataclass(frozen=True)
class Api:
    """The API as a client uses it, and its database."""

    client: TestClient
    database: Database
    unchanged: Unchanged | None = None
    """Looks after what refused requests write, where nobody else writes."""

    def send(self, method: str, path: str, caller: Caller = ADMIN, body: object = None, **more: Any) -> Result:  # noqa: ANN401 - falcon's own keywords
        headers = {**caller.headers, **more.pop("headers", {})}
        if body is not None:
            more["body"] = body if isinstance(body, bytes | str) else json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        path = path if path.startswith("/api") or not path.startswith("/") else BASE + path
        if method in SAFE or self.unchanged is None:
            return self.client.simulate_request(method, path, headers=headers, **more)
        with self.unchanged.where_refused(f"{method} {path}") as asked:
            answer = self.client.simulate_request(method, path, headers=headers, **more)
            asked.status = answer.status_code
        return answer

    def beside_others(self) -> Self:
        """The same, where somebody else writes meanwhile."""
        return replace(self, unchanged=None)

    def built(self) -> set[tuple[str, str]]:
        """Every method and path template of the API that is not in the table of the unbuilt."""
        found: set[tuple[str, str]] = set()
        waiting = list(self.client.app._router._roots)
        while waiting:
            node = waiting.pop()
            waiting.extend(node.children)
            template = (node.uri_template or "").removeprefix(BASE)
            if not (node.uri_template or "").startswith(BASE) or isinstance(node.resource, Unbuilt):
                continue
            responders = {name.removeprefix("on_").upper() for name in dir(node.resource) if name.startswith("on_")}
            found |= {(method, template) for method in responders}
        return found

    def template(self, method: str, path: str) -> str:
        """The route that a path leads to."""
        found = self.client.app._router.find(BASE + path)
        assert found, f"nothing answers {method} {path}"
        return str(found[3]).removeprefix(BASE)

    def get(self, path: str, caller: Caller = ADMIN, **more: Any) -> Result:  # noqa: ANN401 - falcon's own keywords
        return self.send("GET", path, caller, **more)

    def made(self, path: str, body: object, caller: Caller = ADMIN) -> int:
        """The number of what a POST makes."""
        answer = self.send("POST", path, caller, body)
        assert answer.status_code == 201, answer.text
        return int(answer.headers["location"].rsplit("/", 1)[1])

    def user(self, *, admin: bool = False) -> Caller:
        """A new user, made in the database: the hash of the password is known already."""
        name = f"user{next(_numbers)}"
        with self.database.superuser() as connection:
            connection.execute(
                """
                INSERT INTO core.users (username, email, realname, password_hash, sysadmin) VALUES (%s, %s, %s, %s, %s)
                """,
                (name, f"{name}@example.test", name, _HASH, admin),
            )
        return Caller(name=name)

    def user_id(self, caller: Caller) -> int:
        return int(self.get("/users/current", caller).json["user_id"])

    def project(self, *, public: bool = False, caller: Caller = ADMIN) -> str:
        """A new project's name."""
        name = f"project{next(_numbers)}"
        self.made("/projects", {"project_name": name, "metadata": {"public": str(public).lower()}}, caller)
        return name

    def member(self, project: str, role: str) -> Caller:
        """A new user with a role in a project."""
        caller = self.user()
        body = {"role_id": ROLES[role], "member_user": {"username": caller.name}}
        self.made(f"/projects/{project}/members", body)
        return caller

    def robot(self, project: str | None, *access: tuple[str, str], system: tuple[tuple[str, str], ...] = ()) -> Caller:
        """A new robot account with rights in a project, or of the system."""
        body = {
            "name": f"robot{next(_numbers)}",
            "level": "project" if project else "system",
            "duration": -1,
            "permissions": [
                {"kind": kind, "namespace": place, "access": [{"resource": r, "action": a} for r, a in pairs]}
                for kind, place, pairs in (("project", project, access), ("system", "/", system))
                if pairs and place
            ],
        }
        answer = self.send("POST", "/robots", ADMIN, body)
        assert answer.status_code == 201, answer.text
        return Caller(name=answer.json["name"], password=answer.json["secret"])

    def events(self, event_type: str) -> list[dict[str, Any]]:
        """The bodies of the events of a type that wait in the outbox, oldest first."""
        with self.database.superuser() as connection:
            rows = connection.execute(
                "SELECT body FROM events.outbox WHERE type = %s ORDER BY id", (f"breakwater.{event_type}.v1",)
            ).fetchall()
        return [row[0] for row in rows]


def sentence(answer: Result) -> str:
    """What an error says."""
    return str(answer.json["errors"][0]["message"])


def code(answer: Result) -> str:
    """An error's code."""
    return str(answer.json["errors"][0]["code"])
