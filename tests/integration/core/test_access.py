"""Every operation that is built by everybody who may call: who gets through, who is told 401, who 403.

The columns are Harbor's own matrix, written down here once more: a wrong word in a resource shows as a wrong cell.
A route without a row fails.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.core.people import ADMIN, NOBODY, PASSWORD, Api, Caller
from tests.integration.core.rows import artifact_of, label_of, retention_of

ROLES = {"P": "projectAdmin", "M": "maintainer", "D": "developer", "G": "guest", "L": "limitedGuest"}
REPOSITORY = "/projects/{project}/repositories/{repository}"
ARTIFACT = REPOSITORY + "/artifacts/{reference}"
HOOKS = "/projects/{project}/webhook"
POLICY = HOOKS + "/policies/{webhook_policy_id}"
ABSENT = "999999999"
NO_DIGEST = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Row:
    """An operation in a project: the roles that may, and whether anybody may in a public project."""

    method: str
    path: str
    roles: str
    anybody: bool = False
    body: object = None
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}{self.query}"


IN_PROJECT = [
    Row("GET", "/projects/{project}", "PMDGL", anybody=True),
    Row("PUT", "/projects/{project}", "P", body={}),
    Row("DELETE", "/projects/{project}", "P"),
    Row("GET", "/projects/{project}/_deletable", "P"),
    Row("GET", "/projects/{project}/summary", "PMDGL", anybody=True),
    Row("GET", "/projects/{project}/members", "PMDG"),
    Row("POST", "/projects/{project}/members", "P", body={}),
    Row("GET", "/projects/{project}/members/{member_id}", "PMDG"),
    Row("PUT", "/projects/{project}/members/{member_id}", "P", body={"role_id": 3}),
    Row("DELETE", "/projects/{project}/members/{member_id}", "P"),
    Row("GET", "/projects/{project}/metadatas", "PM"),
    Row("POST", "/projects/{project}/metadatas", "P", body={}),
    Row("GET", "/projects/{project}/metadatas/public", "PM"),
    Row("PUT", "/projects/{project}/metadatas/absent", "P", body={}),
    Row("DELETE", "/projects/{project}/metadatas/absent", "P"),
    Row("GET", "/projects/{project}/artifacts", "PMDGL", anybody=True),
    Row("GET", "/projects/{project}/logs", "P"),
    Row("GET", "/projects/{project}/auditlog-exts", "P"),
    Row("GET", "/projects/{project}/repositories", "PMDGL", anybody=True),
    Row("GET", REPOSITORY, "PMDGL"),
    Row("GET", REPOSITORY + "/_deletable", "PM"),
    Row("PUT", REPOSITORY, "PMD", body={"description": "described"}),
    Row("DELETE", "/projects/{project}/repositories/absent", "PM"),
    Row("GET", REPOSITORY + "/artifacts", "PMDGL", anybody=True),
    Row("POST", REPOSITORY + "/artifacts", "PMD", query="?from={project}/app@" + NO_DIGEST),
    Row("GET", ARTIFACT, "PMDGL", anybody=True),
    Row("DELETE", REPOSITORY + "/artifacts/" + NO_DIGEST, "PM"),
    Row("GET", ARTIFACT + "/tags", "PMDGL", anybody=True),
    Row("POST", ARTIFACT + "/tags", "PMD", body={}),
    Row("DELETE", ARTIFACT + "/tags/absent", "PM"),
    Row("GET", ARTIFACT + "/accessories", "PMDGL", anybody=True),
    Row("GET", ARTIFACT + "/additions/license", "PMDGL", anybody=True),
    Row("POST", ARTIFACT + "/labels", "PMD", body={}),
    Row("DELETE", ARTIFACT + "/labels/" + ABSENT, "PMD"),
    Row("GET", "/labels", "PMDG", anybody=True, query="?scope=p&project_id={project_id}"),
    Row("POST", "/labels", "PM", body={"scope": "p", "name": ""}),
    Row("GET", "/labels/{label_id}", "PMDG", anybody=True),
    Row("PUT", "/labels/{label_id}", "PM", body={}),
    Row("DELETE", "/labels/{label_id}", "PM"),
    Row("GET", "/projects/{project}/immutabletagrules", "PM"),
    Row("POST", "/projects/{project}/immutabletagrules", "PM", body={}),
    Row("PUT", "/projects/{project}/immutabletagrules/{immutable_rule_id}", "PM", body={}),
    Row("DELETE", "/projects/{project}/immutabletagrules/{immutable_rule_id}", "PM"),
    Row("POST", "/retentions", "PMD", body={"algorithm": "and", "scope": {"level": "project"}}),
    Row("GET", "/retentions/{id}", "PMD"),
    Row("PUT", "/retentions/{id}", "PMD", body={}),
    Row("GET", "/retentions/{id}/executions", "PMD"),
    Row("POST", "/retentions/{id}/executions", "PMD", body={"dry_run": 1}),
    Row("PATCH", "/retentions/{id}/executions/{eid}", "PMD", body={}),
    Row("GET", "/retentions/{id}/executions/{eid}/tasks", "PMD"),
    Row("GET", "/retentions/{id}/executions/{eid}/tasks/{tid}", "PMD"),
    Row("DELETE", "/retentions/{id}", "PMD"),
    Row("GET", "/robots", "PMDG", query="?q=Level=project,ProjectID={project_id}"),
    Row("POST", "/robots", "P", body={
        "name": "NOT A NAME", "level": "project",
        "permissions": [{"kind": "project", "namespace": "{project}",
                         "access": [{"resource": "repository", "action": "pull"}]}],
    }),
    Row("GET", "/robots/{robot_id}", "PMDG"),
    Row("PUT", "/robots/{robot_id}", "P", body={}),
    Row("PATCH", "/robots/{robot_id}", "P", body={"secret": "x"}),
    Row("DELETE", "/robots/{robot_id}", "P"),
    Row("GET", HOOKS + "/events", "PM"),
    Row("GET", HOOKS + "/lasttrigger", "PM"),
    Row("GET", HOOKS + "/jobs", "PM", query="?policy_id={webhook_policy_id}"),
    Row("GET", HOOKS + "/policies", "PM"),
    Row("POST", HOOKS + "/policies", "P", body={}),
    Row("GET", POLICY, "PM"),
    Row("PUT", POLICY, "P", body={}),
    Row("DELETE", POLICY, "P"),
    Row("POST", POLICY + "/test", "P"),
    Row("POST", POLICY + "/redelivery", "P"),
    Row("GET", POLICY + "/executions", "PM"),
    Row("POST", POLICY + "/executions/{execution_id}/redelivery", "P"),
    Row("GET", POLICY + "/executions/{execution_id}/tasks", "PM"),
    Row("GET", POLICY + "/executions/{execution_id}/tasks/{task_id}/log", "PM"),
]  # fmt: skip

EVERYBODY, SIGNED_IN, ADMINISTRATORS, OWNER = "everybody", "signed in", "administrators", "owner"
OF_SYSTEM = [
    ("GET", "/ping", EVERYBODY, None),
    ("GET", "/health", EVERYBODY, None),
    ("GET", "/systeminfo", EVERYBODY, None),
    ("GET", "/systeminfo/getcert", EVERYBODY, None),
    ("GET", "/search?q=x", EVERYBODY, None),
    ("GET", "/projects", EVERYBODY, None),
    ("GET", "/repositories", EVERYBODY, None),
    ("HEAD", "/projects?project_name=library", SIGNED_IN, None),
    ("GET", "/statistics", SIGNED_IN, None),
    ("GET", "/statistics/daily", SIGNED_IN, None),
    ("GET", "/statistics/quotas", SIGNED_IN, None),
    ("GET", "/users/current", SIGNED_IN, None),
    ("GET", "/users/current/roles", SIGNED_IN, None),
    ("GET", "/users/current/permissions", SIGNED_IN, None),
    ("GET", "/users/current/permissions?scope=/project/{closed}", SIGNED_IN, None),
    ("GET", "/users/current/permissions?scope=/project/{absent}", SIGNED_IN, None),
    ("GET", "/users/search?username=u", SIGNED_IN, None),
    ("GET", "/audit-logs", SIGNED_IN, None),
    ("GET", "/auditlog-exts", SIGNED_IN, None),
    ("GET", "/auditlog-exts/events", SIGNED_IN, None),
    ("GET", "/usergroups/search?groupname=g", SIGNED_IN, None),
    ("GET", "/usergroups", ADMINISTRATORS, None),
    ("POST", "/usergroups", ADMINISTRATORS, {}),
    ("GET", "/usergroups/{absent}", ADMINISTRATORS, None),
    ("PUT", "/usergroups/{absent}", ADMINISTRATORS, {"group_name": "g"}),
    ("DELETE", "/usergroups/{absent}", ADMINISTRATORS, None),
    ("POST", "/ldap/ping", ADMINISTRATORS, {}),
    ("GET", "/ldap/users/search", ADMINISTRATORS, None),
    ("POST", "/ldap/users/import", ADMINISTRATORS, {}),
    ("GET", "/ldap/groups/search", ADMINISTRATORS, None),
    ("GET", "/systeminfo/volumes", ADMINISTRATORS, None),
    ("GET", "/configurations", ADMINISTRATORS, None),
    ("PUT", "/configurations", ADMINISTRATORS, {}),
    ("GET", "/internalconfig", ADMINISTRATORS, None),
    ("GET", "/system/CVEAllowlist", SIGNED_IN, None),
    ("PUT", "/system/CVEAllowlist", ADMINISTRATORS, {}),
    ("GET", "/labels?scope=g", SIGNED_IN, None),
    ("POST", "/labels", ADMINISTRATORS, {"scope": "g", "name": ""}),
    ("GET", "/labels/{global_label}", ADMINISTRATORS, None),
    ("PUT", "/labels/{global_label}", ADMINISTRATORS, {}),
    ("DELETE", "/labels/{absent}", ADMINISTRATORS, None),
    ("GET", "/users", ADMINISTRATORS, None),
    ("POST", "/users", ADMINISTRATORS, {}),
    ("DELETE", "/users/{absent}", ADMINISTRATORS, None),
    ("PUT", "/users/{absent}/sysadmin", ADMINISTRATORS, {"sysadmin_flag": True}),
    ("PUT", "/users/{absent}/disabled", ADMINISTRATORS, {"disabled": True}),
    ("GET", "/users/{owner}", OWNER, None),
    ("PUT", "/users/{owner}", OWNER, {}),
    ("PUT", "/users/{owner}/password", OWNER, {"old_password": PASSWORD, "new_password": "short"}),
    ("GET", "/openapi.json", EVERYBODY, None),
    ("GET", "/system/queues", ADMINISTRATORS, None),
    ("GET", "/system/queues/audit/dead_letters", ADMINISTRATORS, None),
    ("POST", "/system/queues/audit/dead_letters", ADMINISTRATORS, {}),
    ("GET", "/system/queues/audit/dead_letters/none", ADMINISTRATORS, None),
    ("GET", "/system/parked_notifications", ADMINISTRATORS, None),
    ("POST", "/system/parked_notifications", ADMINISTRATORS, {}),
    ("GET", "/system/parked_notifications/none", ADMINISTRATORS, None),
    ("GET", "/users/{owner}/refresh_tokens", OWNER, None),
    ("DELETE", "/users/{owner}/refresh_tokens", OWNER, None),
    ("DELETE", "/users/{owner}/refresh_tokens/00000000-0000-4000-8000-000000000000", OWNER, None),
    ("GET", "/retentions/metadatas", SIGNED_IN, None),
    ("GET", "/registries", ADMINISTRATORS, None),
    ("POST", "/registries", ADMINISTRATORS, {}),
    ("POST", "/registries/ping", ADMINISTRATORS, {}),
    ("GET", "/registries/{absent}", ADMINISTRATORS, None),
    ("PUT", "/registries/{absent}", ADMINISTRATORS, {}),
    ("DELETE", "/registries/{absent}", ADMINISTRATORS, None),
    ("GET", "/registries/{absent}/info", ADMINISTRATORS, None),
    ("GET", "/replication/adapters", ADMINISTRATORS, None),
    ("GET", "/replication/adapterinfos", ADMINISTRATORS, None),
    ("GET", "/replication/policies", ADMINISTRATORS, None),
    ("POST", "/replication/policies", ADMINISTRATORS, {}),
    ("GET", "/replication/policies/{absent}", ADMINISTRATORS, None),
    ("PUT", "/replication/policies/{absent}", ADMINISTRATORS, {}),
    ("DELETE", "/replication/policies/{absent}", ADMINISTRATORS, None),
    ("GET", "/replication/executions", ADMINISTRATORS, None),
    ("POST", "/replication/executions", ADMINISTRATORS, {}),
    ("GET", "/replication/executions/{absent}", ADMINISTRATORS, None),
    ("PUT", "/replication/executions/{absent}", ADMINISTRATORS, None),
    ("GET", "/replication/executions/{absent}/tasks", ADMINISTRATORS, None),
    ("GET", "/replication/executions/{absent}/tasks/{absent}/log", ADMINISTRATORS, None),
    ("GET", "/schedules", ADMINISTRATORS, None),
    ("GET", "/schedules/all/paused", SIGNED_IN, None),
    ("GET", "/jobservice/pools", ADMINISTRATORS, None),
    ("GET", "/jobservice/pools/{absent}/workers", ADMINISTRATORS, None),
    ("GET", "/jobservice/queues", ADMINISTRATORS, None),
    ("GET", "/jobservice/jobs/retention-{absent}/log", ADMINISTRATORS, None),
    ("GET", "/system/audit-checks", ADMINISTRATORS, None),
    ("POST", "/system/audit-checks", ADMINISTRATORS, None),
    ("GET", "/system/gc", ADMINISTRATORS, None),
    ("GET", "/system/gc/{absent}", ADMINISTRATORS, None),
    ("PUT", "/system/gc/{absent}", ADMINISTRATORS, None),
    ("GET", "/system/gc/{absent}/log", ADMINISTRATORS, None),
    ("GET", "/system/gc/schedule", ADMINISTRATORS, None),
    ("POST", "/system/gc/schedule", ADMINISTRATORS, {}),
    ("PUT", "/system/gc/schedule", ADMINISTRATORS, {}),
    ("GET", "/system/purgeaudit", ADMINISTRATORS, None),
    ("GET", "/system/purgeaudit/{absent}", ADMINISTRATORS, None),
    ("PUT", "/system/purgeaudit/{absent}", ADMINISTRATORS, None),
    ("GET", "/system/purgeaudit/{absent}/log", ADMINISTRATORS, None),
    ("GET", "/system/purgeaudit/schedule", ADMINISTRATORS, None),
    ("POST", "/system/purgeaudit/schedule", ADMINISTRATORS, {}),
    ("PUT", "/system/purgeaudit/schedule", ADMINISTRATORS, {}),
    ("GET", "/quotas", ADMINISTRATORS, None),
    ("GET", "/quotas/{absent}", ADMINISTRATORS, None),
    ("PUT", "/quotas/{absent}", ADMINISTRATORS, {"hard": {"storage": 1}}),
    ("GET", "/robots", ADMINISTRATORS, None),
    ("POST", "/robots", ADMINISTRATORS, {"name": "NOT A NAME", "level": "system", "permissions": []}),
    ("GET", "/robots/{system_robot}", ADMINISTRATORS, None),
    ("PUT", "/robots/{system_robot}", ADMINISTRATORS, {}),
    ("PATCH", "/robots/{system_robot}", ADMINISTRATORS, {"secret": "x"}),
    ("DELETE", "/robots/{absent}", ADMINISTRATORS, None),
]
SPECIAL = {("GET", "/permissions"), ("POST", "/projects"), ("POST", "/users/{user_id}/refresh_tokens")}
"""Operations with a test of their own below."""


@dataclass(frozen=True)
class World:
    """Two projects of a kind, everybody in and around one of them, and the names a path needs."""

    people: dict[str, Caller]
    names: dict[str, str]


def _world(api: Api, *, public: bool) -> World:
    name = api.project(public=public)
    number = str(api.get(f"/projects/{name}").json["project_id"])
    digest = artifact_of(api, name, "app")
    elsewhere = api.project()
    robot = api.robot(elsewhere, ("repository", "pull"), ("member", "create"), ("robot", "create"), ("log", "list"))
    api.robot(name, ("repository", "pull"))
    robots = api.get(f"/robots?q=Level=project,ProjectID={number}").json
    people = {letter: api.member(name, role) for letter, role in ROLES.items()}
    people |= {
        "nobody": NOBODY,
        "stranger": api.user(),
        "admin elsewhere": api.member(elsewhere, "projectAdmin"),
        "robot elsewhere": robot,
        "administrator": ADMIN,
    }
    names = {
        "project": name,
        "project_id": number,
        "repository": "app",
        "reference": digest,
        "member_id": ABSENT,
        "immutable_rule_id": ABSENT,
        "robot_id": str(robots[0]["id"]),
        "label_id": str(label_of(api, name)),
        "id": str(retention_of(api, name)),
        "eid": ABSENT,
        "tid": ABSENT,
        "global_label": str(label_of(api)),
        "webhook_policy_id": ABSENT,
        "execution_id": ABSENT,
        "task_id": ABSENT,
    }
    return World(people, names)


@pytest.fixture(scope="module")
def private(api: Api) -> World:
    return _world(api, public=False)


@pytest.fixture(scope="module")
def public(api: Api) -> World:
    return _world(api, public=True)


@pytest.mark.parametrize("row", IN_PROJECT, ids=str)
def test_only_the_listed_roles_get_through_in_a_private_project(api: Api, private: World, row: Row) -> None:
    _expect(api, row, private, {*row.roles, "administrator"})


@pytest.mark.parametrize("row", IN_PROJECT, ids=str)
def test_in_a_public_project_everybody_gets_what_is_everybodys(api: Api, public: World, row: Row) -> None:
    _expect(api, row, public, set(public.people) if row.anybody else {*row.roles, "administrator"})


@pytest.mark.parametrize("row", [row for row in IN_PROJECT if "{project}" in row.path], ids=str)
def test_a_private_project_and_a_missing_one_look_the_same(api: Api, private: World, row: Row) -> None:
    missing = private.names | {"project": "no-such-project"}
    for name in ("nobody", "stranger", "admin elsewhere", "robot elsewhere"):
        answers = [_send(api, row, private.people[name], names) for names in (private.names, missing)]
        assert answers[0].status_code == answers[1].status_code in {401, 403}, name
        assert answers[0].text == answers[1].text, name


@pytest.mark.parametrize("row", [row for row in IN_PROJECT if "{project}" in row.path], ids=str)
def test_an_administrator_is_told_that_a_project_is_missing(api: Api, private: World, row: Row) -> None:
    answer = _send(api, row, ADMIN, private.names | {"project": "no-such-project"})
    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path", "who", "body"), OF_SYSTEM, ids=lambda value: str(value)[:60])
def test_operations_on_the_system_let_in_whom_they_should(
    api: Api, private: World, method: str, path: str, who: str, body: object
) -> None:
    owner = private.people["D"]
    robots = api.get("/robots").json or [_system_robot(api)]
    names = {"owner": api.user_id(owner), "absent": ABSENT, "system_robot": robots[0]["id"]}
    names |= {"closed": private.names["project_id"], "global_label": private.names["global_label"]}
    target = path.format(**names)
    for name, caller in private.people.items():
        allowed = {
            EVERYBODY: True,
            SIGNED_IN: name != "nobody",
            ADMINISTRATORS: name == "administrator",
            OWNER: name in {"administrator", "D"},
        }[who]
        _check(api.send(method, target, caller, body).status_code, name, allowed=allowed)


def test_only_those_who_can_make_robots_see_what_robots_may_have(api: Api, private: World) -> None:
    may = {"P", "admin elsewhere", "robot elsewhere", "administrator"}
    for name, caller in private.people.items():
        answer = api.get("/permissions", caller)
        _check(answer.status_code, name, allowed=name in may)
        if name in may:
            assert bool(answer.json["system"]) == (name == "administrator")


def test_every_user_may_create_projects_until_that_is_restricted(api: Api, private: World) -> None:
    for name, caller in private.people.items():
        status = api.send("POST", "/projects", caller, {"project_name": "NOT A NAME"}).status_code
        _check(status, name, allowed=name not in {"nobody", "robot elsewhere"})
    api.send("PUT", "/configurations", ADMIN, {"project_creation_restriction": "adminonly"})
    try:
        for name, caller in private.people.items():
            status = api.send("POST", "/projects", caller, {"project_name": "NOT A NAME"}).status_code
            _check(status, name, allowed=name == "administrator")
    finally:
        api.send("PUT", "/configurations", ADMIN, {"project_creation_restriction": "everyone"})


def test_everybody_makes_refresh_tokens_for_himself_alone(api: Api, private: World) -> None:
    path = f"/users/{api.user_id(private.people['D'])}/refresh_tokens"
    for name, caller in private.people.items():
        _check(api.send("POST", path, caller, {"client_id": ""}).status_code, name, allowed=name == "D")


def test_every_built_operation_has_a_row(api: Api) -> None:
    have = {(row.method, _route(api, row.method, row.path)) for row in IN_PROJECT}
    have |= {(method, _route(api, method, path.partition("?")[0])) for method, path, _, _ in OF_SYSTEM}
    have |= SPECIAL
    assert api.built() - have == set()


def _route(api: Api, method: str, path: str) -> str:
    """The template of the route that answers a path."""
    known = ("project", "repository", "reference", "member_id", "robot_id", "system_robot", "label_id", "global_label")
    known += ("immutable_rule_id", "webhook_policy_id", "execution_id", "task_id", "owner", "absent")
    known += ("immutable_rule_id", "owner", "absent", "id", "eid", "tid")
    return api.template(method, path.format(**dict.fromkeys(known, ABSENT)))


def _system_robot(api: Api) -> dict[str, Any]:
    api.robot(None, system=(("audit-log", "list"),))
    return dict(api.get("/robots").json[0])


def _expect(api: Api, row: Row, world: World, allowed: set[str]) -> None:
    for name, caller in world.people.items():
        _check(_send(api, row, caller, world.names).status_code, name, allowed=name in allowed)


def _send(api: Api, row: Row, caller: Caller, names: dict[str, str]) -> Any:  # noqa: ANN401 - falcon's Result
    body = row.body
    if row.path == "/robots" and isinstance(body, dict):
        body = body | {"permissions": [each | {"namespace": names["project"]} for each in body["permissions"]]}
    if row.path == "/labels" and isinstance(body, dict):
        body = body | {"project_id": int(names["project_id"])}
    if row.path == "/retentions" and isinstance(body, dict):
        body = body | {"scope": {"level": "project", "ref": int(names["project_id"])}}
    if (row.method, row.path) == ("DELETE", "/retentions/{id}"):  # as labels below
        names = names | {"id": str(retention_of(api, names["project"]))}
    if (row.method, row.path) == ("DELETE", "/labels/{label_id}"):  # one for each caller, as a deleted one is nobody's
        names = names | {"label_id": str(label_of(api, names["project"]))}
    return api.send(row.method, (row.path + row.query).format(**names), caller, body)


def _check(status: int, name: str, *, allowed: bool) -> None:
    if allowed:
        assert status not in {401, 403, 405, 500}, f"{name} is refused with {status}"
    else:
        assert status == (401 if name == "nobody" else 403), f"{name} gets {status}"


