"""A Harbor's projects with their retention policies: answers as Harbor's swagger and its handlers say.

It numbers rules, writes extras in its own spacing, makes one policy a project, and refuses a second with 400.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.clients.scripted import Reply, Request, Scripted, scripted

API = "/api/v2.0"


def rule(template: str = "latestPushedK", number: int | None = 3, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A rule as our own catalogue has it."""
    return {
        "priority": 0, "disabled": False, "action": "retain", "template": template,
        "params": {} if number is None else {template: number},
        "tag_selectors": [
            {"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": '{"untagged": true}'}
        ],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "app/**", "extras": ""}]
        },
    } | more  # fmt: skip


@dataclass
class RetainingHarbor:
    """Its projects by name, each with its number and that of its policy."""

    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[int, dict[str, Any]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    """Methods that are carried out, and whose answer does not arrive."""
    refusals: dict[str, Reply] = field(default_factory=dict)
    server: Scripted = field(init=False)

    def project(self, name: str, number: int = 7) -> None:
        self.projects[name] = {"project_id": number, "name": name, "metadata": {"public": "false"}}

    def rules_of(self, name: str) -> list[dict[str, Any]] | None:
        """The rules of a project as they were sent; None where it has no policy."""
        number = self.projects[name]["metadata"].get("retention_id")
        return None if number is None else self.policies[int(number)]["rules"]

    def cron_of(self, name: str) -> str:
        settings = self.policies[int(self.projects[name]["metadata"]["retention_id"])]["trigger"]["settings"]
        return str(settings["cron"])

    def by_hand(self, name: str, *rules: dict[str, Any]) -> None:
        """Somebody else makes a policy, or changes the one that is there."""
        project = self.projects[name]
        number = int(project["metadata"].setdefault("retention_id", str(len(self.policies) + 1)))
        scope = {"level": "project", "ref": project["project_id"]}
        self.policies[number] = {"rules": list(rules), "trigger": {"settings": {"cron": ""}}, "scope": scope}

    def writes(self) -> list[str]:
        return [line for line in self.server.lines if not line.startswith("GET ")]

    def answer(self, request: Request) -> Reply:
        for line, reply in self.refusals.items():
            if request.line.startswith(line):
                return reply
        reply = self._reply(request, request.path.removeprefix(API))
        return Reply(hang_up=True) if request.method in self.lost else reply

    def _reply(self, request: Request, path: str) -> Reply:
        kind, _, name = path.removeprefix("/").partition("/")
        if request.method == "GET" and kind == "projects" and name in self.projects:
            assert request.headers["x-is-resource-name"] == "true"
            return Reply.of(self.projects[name])
        if kind != "retentions":
            return Reply.refusing(404, "NOT_FOUND", f"{path} not found")
        if request.method == "POST":
            return self._make(json.loads(request.body))
        number = int(name)
        if number not in self.policies:
            return Reply.refusing(404, "NOT_FOUND", f"retention policy {number} not found")
        if request.method == "GET":
            return Reply.of(self._told(number))
        assert request.method == "PUT"
        wanted = json.loads(request.body)
        assert wanted["scope"] == self.policies[number]["scope"]
        assert wanted["trigger"]["references"] == {"job_id": number}
        self.policies[number] = wanted
        return Reply(status=200)

    def _make(self, wanted: dict[str, Any]) -> Reply:
        assert (wanted["algorithm"], wanted["trigger"]["kind"]) == ("or", "Schedule")
        (project,) = [each for each in self.projects.values() if each["project_id"] == wanted["scope"]["ref"]]
        if "retention_id" in project["metadata"]:
            return Reply.refusing(400, "BAD_REQUEST", f"project {project['project_id']} already has retention policy")
        number = len(self.policies) + 1
        self.policies[number] = wanted
        project["metadata"]["retention_id"] = str(number)
        return Reply(status=201, headers={"Location": f"{API}/retentions/{number}"})

    def _told(self, number: int) -> dict[str, Any]:
        kept = self.policies[number]
        rules = json.loads(json.dumps(kept["rules"]).replace(r"\"untagged\":", r"\"untagged\" : "))
        return {
            "id": number, "algorithm": "or", "rules": [{"id": place, **each} for place, each in enumerate(rules)],
            "trigger": {
                "kind": "Schedule", "references": {"job_id": number},
                "settings": kept["trigger"]["settings"] | {"next_scheduled_time": "2026-05-18T00:00:00Z"},
            },
            "scope": kept["scope"],
        }  # fmt: skip


@contextmanager
def retaining_harbor() -> Iterator[RetainingHarbor]:
    """One that listens, with a project `p`."""
    made = RetainingHarbor()
    made.project("p")
    with scripted(made.answer) as server:
        made.server = server
        yield made
