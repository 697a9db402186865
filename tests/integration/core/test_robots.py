"""Robot accounts through the API: what they may, how long, and that a secret is shown once."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.core.people import ADMIN, Api, Caller, code

PULL = {"resource": "repository", "action": "pull"}
LIST_PROJECTS = {"resource": "project", "action": "list"}


def body_of(name: str, project: str, *access: dict[str, str], **more: object) -> dict[str, object]:
    permissions = [{"kind": "project", "namespace": project, "access": list(access or (PULL,))}]
    return {"name": name, "level": "project", "duration": -1, "permissions": permissions} | more


def test_a_robots_secret_is_shown_once_and_kept_as_a_hash(api: Api) -> None:
    project = api.project()
    made = api.send("POST", "/robots", ADMIN, body_of("ci", project))
    assert made.status_code == 201
    assert made.json["name"] == f"robot$project{project.removeprefix('project')}+ci"
    assert set(made.json) == {"id", "name", "secret", "creation_time", "expires_at"}
    robot = Caller(name=made.json["name"], password=made.json["secret"])
    assert api.get(f"/projects/{project}", robot).status_code in {200, 403}
    assert api.get("/statistics", robot).status_code == 200
    shown = api.get(f"/robots/{made.json['id']}")
    assert "secret" not in shown.json
    assert made.json["secret"] not in shown.text
    with api.database.superuser() as connection:
        row = connection.execute("SELECT * FROM core.robots WHERE id = %s", (made.json["id"],)).fetchone()
    assert made.json["secret"] not in str(row)
    assert made.json["secret"] not in str(api.events("robot.created"))


def test_a_robot_may_what_it_was_given_and_no_more(api: Api) -> None:
    project, other = api.project(), api.project()
    robot = api.robot(project, ("repository", "list"), ("member", "list"))
    assert api.get(f"/projects/{project}/members", robot).status_code == 200
    assert api.get(f"/projects/{project}/repositories", robot).status_code == 200
    assert api.get(f"/projects/{project}/logs", robot).status_code == 403
    assert api.get(f"/projects/{other}/members", robot).status_code == 403
    assert api.send("POST", f"/projects/{project}/members", robot, {"role_id": 5}).status_code == 403
    assert api.send("POST", "/users", robot, {}).status_code == 403
    assert api.send("POST", "/robots", robot, body_of("child", project)).status_code == 403
    assert api.send("POST", "/projects", robot, {"project_name": "robots-own"}).status_code == 403


def test_no_robot_is_given_more_than_its_maker_has(api: Api) -> None:
    project, other = api.project(), api.project()
    administrator, maintainer = api.member(project, "projectAdmin"), api.member(project, "maintainer")
    parent = api.robot(project, ("robot", "create"), ("repository", "pull"))
    push = {"resource": "repository", "action": "push"}
    assert api.send("POST", "/robots", administrator, body_of("mine", project, push)).status_code == 201
    assert api.send("POST", "/robots", maintainer, body_of("his", project)).status_code == 403
    assert api.send("POST", "/robots", parent, body_of("fits", project)).status_code == 201
    risen = api.send("POST", "/robots", parent, body_of("rises", project, PULL, push))
    assert (risen.status_code, code(risen)) == (403, "FORBIDDEN")
    assert api.send("POST", "/robots", administrator, body_of("there", other)).status_code == 403
    system = body_of("everywhere", "*") | {"level": "system"}
    assert api.send("POST", "/robots", administrator, system).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"name": "UPPER"}, {"name": ""}, {"level": "galaxy"}, {"duration": -2}, {"duration": 10**12},
        {"permissions": []}, {"description": "x" * 1025}, {"duration": "1"}, {"disable": "no"},
        {"permissions": [{"kind": "project", "namespace": "library", "access": []}]}, {"permissions": [{}]},
        {"permissions": [{"kind": "project", "namespace": "library", "access": [PULL | {"action": "*"}]}]},
        {"permissions": [{"kind": "project", "namespace": "library", "access": [PULL | {"effect": "deny"}]}]},
        {"permissions": [{"kind": "galaxy", "namespace": "library", "access": [PULL]}]},
        {"permissions": [{"kind": "system", "namespace": "library", "access": [PULL]}]},
        {"permissions": [{"kind": "project", "namespace": "library", "access": [PULL]},
                         {"kind": "project", "namespace": "other", "access": [PULL]}]},
    ],
)  # fmt: skip
def test_a_robot_that_breaks_a_rule_is_not_made(api: Api, change: dict[str, object]) -> None:
    assert api.send("POST", "/robots", ADMIN, body_of("broken", "library") | change).status_code == 400
    assert api.send("POST", "/robots", ADMIN, {}).status_code == 400


@pytest.mark.parametrize("named", ["no-such-project", "/", "Not A Name", "library "])
def test_rights_in_a_project_that_is_not_there_are_not_given(api: Api, named: str) -> None:
    both = [{"kind": "project", "namespace": each, "access": [PULL]} for each in ("library", named)]
    body = body_of("nowhere", "library") | {"level": "system", "permissions": both}
    refused = api.send("POST", "/robots", ADMIN, body)
    assert (refused.status_code, code(refused)) == (404, "NOT_FOUND")
    number = api.made("/robots", body | {"name": f"there-{len(named)}", "permissions": both[:1]})
    before = api.get(f"/robots/{number}").json
    assert api.send("PUT", f"/robots/{number}", ADMIN, before | {"permissions": both}).status_code == 404
    assert api.get(f"/robots/{number}").json == before


def test_rights_in_a_project_end_with_it_and_are_not_its_namesakes(api: Api) -> None:
    project, other = api.project(), api.project()
    places = [("project", project), ("project", other), ("project", "*"), ("system", "/")]
    access = {"project": [PULL, {"resource": "member", "action": "list"}], "system": [LIST_PROJECTS]}
    permissions = [{"kind": kind, "namespace": name, "access": access[kind]} for kind, name in places]
    system = {"level": "system", "duration": -1}
    wide = api.made("/robots", system | {"name": "wide", "permissions": permissions})
    narrow = api.send("POST", "/robots", ADMIN, system | {"name": "narrow", "permissions": permissions[:1]}).json
    robot = Caller(name=narrow["name"], password=narrow["secret"])
    assert api.get(f"/projects/{project}/members", robot).status_code == 200
    assert api.send("DELETE", f"/projects/{project}").status_code == 200
    told = [event["data"] for event in api.events("robot.updated")[-2:]]
    assert [(each["robot"], each["changed"]) for each in told] == [
        ("robot$wide", ["permissions"]), ("robot$narrow", ["permissions"]),
    ]  # fmt: skip
    with api.database.superuser() as connection:
        later = "UPDATE core.projects SET deleted_at = deleted_at - interval '6 minutes' WHERE name = %s"
        connection.execute(later, (project,))
    api.made("/projects", {"project_name": project})
    assert api.get(f"/projects/{project}/members", robot).status_code == 403
    assert api.get(f"/robots/{narrow['id']}").json["permissions"] == []
    left = [(each["kind"], each["namespace"]) for each in api.get(f"/robots/{wide}").json["permissions"]]
    assert left == places[1:]


def test_a_taken_name_is_a_conflict_within_its_project_only(api: Api) -> None:
    first, second = api.project(), api.project()
    statuses = [api.send("POST", "/robots", ADMIN, body_of("ci", each)).status_code for each in (first, first, second)]
    assert statuses == [201, 409, 201]


def test_a_robot_lasts_as_long_as_it_was_said_to(api: Api) -> None:
    project = api.project()
    number = api.made("/robots", body_of("short", project, duration=10))
    shown = api.get(f"/robots/{number}").json
    made = datetime.fromisoformat(shown["creation_time"])
    assert datetime.fromtimestamp(shown["expires_at"], UTC).date() == made.replace(microsecond=0).date().fromordinal(
        made.toordinal() + 10
    )
    assert api.get(f"/robots/{api.made('/robots', body_of('ever', project))}").json["expires_at"] == -1


@pytest.mark.parametrize("said", [{}, {"duration": 0}, {"duration": None}], ids=str)
def test_without_a_duration_a_robot_lasts_as_long_as_is_configured(api: Api, said: dict[str, object]) -> None:
    body = {key: value for key, value in body_of("default", api.project()).items() if key != "duration"} | said
    assert api.send("PUT", "/configurations", ADMIN, {"robot_token_duration": 7}).status_code == 200
    try:
        shown = api.get(f"/robots/{api.made('/robots', body)}").json
    finally:
        api.send("PUT", "/configurations", ADMIN, {"robot_token_duration": 30})
    assert shown["duration"] == 7
    made = datetime.fromisoformat(shown["creation_time"])
    assert shown["expires_at"] == int((made + timedelta(days=7)).timestamp())


def test_a_duration_of_nought_is_the_configured_one_of_a_changed_robot_too(api: Api) -> None:
    number = api.made("/robots", body_of("ci", api.project()))
    assert api.send("PUT", f"/robots/{number}", ADMIN, {"duration": 0}).status_code == 200
    shown = api.get(f"/robots/{number}").json
    made = datetime.fromisoformat(shown["creation_time"])
    assert (shown["duration"], shown["expires_at"]) == (30, int((made + timedelta(days=30)).timestamp()))
    assert api.send("PUT", f"/robots/{number}", ADMIN, {}).status_code == 200
    assert api.get(f"/robots/{number}").json["duration"] == 30
    assert api.send("PUT", f"/robots/{number}", ADMIN, {"duration": -1}).status_code == 200
    assert api.get(f"/robots/{number}").json["expires_at"] == -1


def test_a_changed_robot_is_what_was_sent_for_it(api: Api) -> None:
    project = api.project()
    number = api.made("/robots", body_of("ci", project, description="builds", disable=True, duration=5))
    before = api.get(f"/robots/{number}").json
    assert (before["description"], before["disable"]) == ("builds", True)
    told = len(api.events("robot.updated"))
    sent = {key: before[key] for key in ("name", "level", "duration", "permissions")}
    assert api.send("PUT", f"/robots/{number}", ADMIN, sent).status_code == 200
    after = api.get(f"/robots/{number}").json
    assert after | {"update_time": ""} == before | {"description": "", "disable": False, "update_time": ""}
    assert api.send("PUT", f"/robots/{number}", ADMIN, sent).status_code == 200
    assert [event["data"]["changed"] for event in api.events("robot.updated")[told:]] == [["description", "disabled"]]


def test_an_expired_or_disabled_robot_is_nobody(api: Api) -> None:
    project = api.project()
    for change in (
        "UPDATE core.robots SET expires_at = now() - interval '1 second' WHERE name = %s",
        "UPDATE core.robots SET disabled = true WHERE name = %s",
    ):
        robot = api.robot(project, ("repository", "pull"))
        assert api.get("/statistics", robot).status_code == 200
        with api.database.superuser() as connection:
            connection.execute(change, (robot.name.removeprefix("robot$"),))
        assert api.get("/statistics", robot).status_code == 401


def test_a_new_secret_voids_the_old_one(api: Api) -> None:
    project = api.project()
    made = api.send("POST", "/robots", ADMIN, body_of("ci", project)).json
    robot = Caller(name=made["name"], password=made["secret"])
    renewed = api.send("PATCH", f"/robots/{made['id']}", ADMIN, {"secret": ""}).json["secret"]
    assert api.get("/statistics", robot).status_code == 401
    assert api.get("/statistics", Caller(name=made["name"], password=renewed)).status_code == 200
    chosen = api.send("PATCH", f"/robots/{made['id']}", ADMIN, {"secret": "Chosen1secret"})
    assert chosen.json == {"secret": ""}
    assert api.get("/statistics", Caller(name=made["name"], password="Chosen1secret")).status_code == 200
    assert api.send("PATCH", f"/robots/{made['id']}", ADMIN, {"secret": "easy"}).status_code == 400
    assert api.events("robot.updated")[-1]["data"]["changed"] == ["secret"]


def test_a_robot_is_changed_but_neither_renamed_nor_moved(api: Api) -> None:
    project = api.project()
    number = api.made("/robots", body_of("ci", project))
    shown = api.get(f"/robots/{number}").json
    push = {"resource": "repository", "action": "push"}
    permissions = [{"kind": "project", "namespace": project, "access": [PULL, push]}]
    change = shown | {"description": "builds", "disable": True, "duration": 5, "permissions": permissions}
    assert api.send("PUT", f"/robots/{number}", ADMIN, change).status_code == 200
    changed = api.get(f"/robots/{number}").json
    assert (changed["description"], changed["disable"], changed["duration"]) == ("builds", True, 5)
    told_of = [{"effect": "allow", **each} for each in permissions[0]["access"]]
    assert changed["permissions"] == [permissions[0] | {"access": told_of}]
    told = ["description", "disabled", "duration_days", "permissions"]
    assert api.events("robot.updated")[-1]["data"]["changed"] == told
    for refused in ({"level": "system"}, {"name": "other"}):
        assert api.send("PUT", f"/robots/{number}", ADMIN, shown | refused).status_code == 400


def test_a_robot_tells_who_made_it(api: Api) -> None:
    project = api.project()
    administrator = api.member(project, "projectAdmin")
    parent = api.robot(project, ("robot", "create"), ("repository", "pull"))
    by_user = api.get(f"/robots/{api.made('/robots', body_of('one', project), administrator)}").json
    by_robot = api.get(f"/robots/{api.made('/robots', body_of('two', project), parent)}").json
    assert (by_user["creator_type"], by_user["creator_ref"]) == ("local", api.user_id(administrator))
    assert by_robot["creator_type"] == "robot"
    assert api.get(f"/robots/{by_robot['creator_ref']}").json["name"] == parent.name


def test_a_robot_is_reached_by_its_projects_administrators_only(api: Api) -> None:
    own, foreign = api.project(), api.project()
    administrator = api.member(own, "projectAdmin")
    number = api.made("/robots", body_of("victim", foreign))
    missing = "999999"
    for method, body in (("GET", None), ("PUT", {"disable": True}), ("PATCH", {"secret": ""}), ("DELETE", None)):
        theirs = api.send(method, f"/robots/{number}", administrator, body)
        none = api.send(method, f"/robots/{missing}", administrator, body)
        assert (theirs.status_code, theirs.text) == (none.status_code, none.text)
        assert theirs.status_code == 403
    assert api.get(f"/robots/{number}").json["disable"] is False


def test_robots_are_listed_by_level_and_project(api: Api) -> None:
    project = api.project()
    number = api.get(f"/projects/{project}").json["project_id"]
    for name in ("b", "a"):
        api.made("/robots", body_of(name, project))
    listed = api.get(f"/robots?q=Level=project,ProjectID={number}")
    assert [each["name"].rpartition("+")[2] for each in listed.json] == ["a", "b"]
    assert {each["level"] for each in listed.json} == {"project"}
    assert listed.headers["x-total-count"] == "2"
    api.robot(None, system=(("audit-log", "list"),))
    assert {each["level"] for each in api.get("/robots?page_size=100").json} == {"system"}
    assert api.get("/robots?q=Level=project").status_code == 400
    assert api.get("/robots?q=secret=~a").status_code == 400
    assert api.get("/robots?q=Level=project,ProjectID=999999").status_code == 404


def test_a_deleted_robot_is_gone(api: Api) -> None:
    robot = api.robot(api.project(), ("repository", "pull"))
    with api.database.superuser() as connection:
        row = connection.execute(
            "SELECT id FROM core.robots WHERE name = %s", (robot.name.removeprefix("robot$"),)
        ).fetchone()
    assert row
    assert api.send("DELETE", f"/robots/{row[0]}").status_code == 200
    assert api.get("/statistics", robot).status_code == 401
    assert api.send("DELETE", f"/robots/{row[0]}").status_code == 404
    assert api.events("robot.deleted")[-1]["data"]["robot"] == robot.name


def test_a_configured_prefix_is_in_every_robots_name(api: Api) -> None:
    robot = api.robot(api.project(), ("repository", "pull"))
    assert api.send("PUT", "/configurations", ADMIN, {"robot_name_prefix": "bot$"}).status_code == 200
    try:
        renamed = Caller(name=robot.name.replace("robot$", "bot$", 1), password=robot.password)
        assert api.get("/statistics", renamed).status_code == 200
        assert api.get("/statistics", robot).status_code == 401
    finally:
        api.send("PUT", "/configurations", ADMIN, {"robot_name_prefix": "robot$"})
