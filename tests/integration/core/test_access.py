"""Every operation that is built by everybody who may call: who gets through, who is told 401, who 403.

The rows are in `access_rows`. A route without a row fails.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from services.api.domain.robot import PROJECT_ACCESS
from tests.integration.core.access_rows import (
    ABSENT,
    ADMINISTRATORS,
    EVERYBODY,
    IN_PROJECT,
    OF_SYSTEM,
    OWNER,
    ROLES,
    SIGNED_IN,
    SPECIAL,
    Row,
)
from tests.integration.core.executed import statements
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller
from tests.integration.core.rows import artifact_of, label_of, retention_of


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
def of_robots(api: Api) -> World:
    """What is deleted goes last in it, too."""
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


@pytest.mark.parametrize("row", IN_PROJECT, ids=str)
def test_a_robot_of_the_project_needs_the_permissions_of_the_operation_and_no_other_opens_it(
    api: Api, of_robots: World, row: Row
) -> None:
    needed = {(resource, action) for resource, _, action in (each.partition(":") for each in row.robot.split())}
    project = of_robots.names["project"]
    for missing in needed or {None}:
        others = api.robot(project, *sorted(PROJECT_ACCESS - {missing}))
        _check(_send(api, row, others, of_robots.names).status_code, f"all but {missing}", allowed=False)
    if needed:
        _check(_send(api, row, api.robot(project, *needed), of_robots.names).status_code, row.robot, allowed=True)


@pytest.mark.parametrize("row", [row for row in IN_PROJECT if "{project}" in row.path], ids=str)
def test_a_private_project_and_a_missing_one_look_the_same(api: Api, private: World, row: Row) -> None:
    missing = private.names | {"project": "no-such-project"}
    for name in ("nobody", "stranger", "admin elsewhere", "robot elsewhere"):
        answers, asked = [], []
        for names in (private.names, missing):
            with statements() as executed:
                answers.append(_send(api, row, private.people[name], names))
            asked.append(executed)
        assert answers[0].status_code == answers[1].status_code in {401, 403}, name
        assert answers[0].text == answers[1].text, name
        assert asked[0] == asked[1], f"{name} could tell them apart by the time they take"


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


