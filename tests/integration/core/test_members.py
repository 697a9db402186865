"""Members through the API."""

import pytest

from tests.integration.core.people import ADMIN, Api, code


def test_a_user_is_made_a_member_by_name_or_number(api: Api) -> None:
    project, anna, bert = api.project(), api.user(), api.user()
    made = api.send("POST", f"/projects/{project}/members", ADMIN, {
        "role_id": 2, "member_user": {"username": anna.name.upper()},
    })  # fmt: skip
    assert made.status_code == 201
    assert made.headers["location"].startswith(f"/api/v2.0/projects/{project}/members/")
    shown = api.get(made.headers["location"]).json
    assert shown == {
        "id": int(made.headers["location"].rpartition("/")[2]),
        "project_id": api.get(f"/projects/{project}").json["project_id"],
        "entity_id": api.user_id(anna), "entity_name": anna.name, "entity_type": "u",
        "role_id": 2, "role_name": "developer",
    }  # fmt: skip
    api.made(f"/projects/{project}/members", {"role_id": 5, "member_user": {"user_id": api.user_id(bert)}})
    event = api.events("member.created")[-1]
    assert (event["subject"], event["data"]["role"]) == (f"{project}/{bert.name}", "limitedGuest")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"role_id": 2, "member_user": {"username": "nobody-known"}}, 404),
        ({"role_id": 2, "member_user": {"user_id": 999_999}}, 404),
        ({"role_id": 2, "member_user": {}}, 400),
        ({"role_id": 2}, 400),
        ({"role_id": 0, "member_user": {"username": "admin"}}, 400),
        ({"role_id": 6, "member_user": {"username": "admin"}}, 400),
        ({"role_id": "2", "member_user": {"username": "admin"}}, 400),
        ({"member_user": {"username": "admin"}}, 400),
        ({"role_id": 2, "member_user": {"username": "admin"}}, 409),
        ({"role_id": 2, "member_group": {"group_name": "g"}}, 404),
    ],
)
def test_what_cannot_be_a_member_is_refused(api: Api, body: object, status: int) -> None:
    project = api.project()
    assert api.send("POST", f"/projects/{project}/members", ADMIN, body).status_code == status
    assert len(api.get(f"/projects/{project}/members").json) == 1


def test_a_changed_role_holds_at_once(api: Api) -> None:
    project = api.project()
    member = api.member(project, "guest")
    number = next(m["id"] for m in api.get(f"/projects/{project}/members").json if m["entity_name"] == member.name)
    assert api.get(f"/projects/{project}/logs", member).status_code == 403
    assert api.send("PUT", f"/projects/{project}/members/{number}", ADMIN, {"role_id": 1}).status_code == 200
    assert api.get(f"/projects/{project}/logs", member).status_code == 200
    event = api.events("member.updated")[-1]
    assert (event["data"]["previous_role"], event["data"]["role"]) == ("guest", "projectAdmin")
    assert api.send("DELETE", f"/projects/{project}/members/{number}", member).status_code == 200
    assert api.get(f"/projects/{project}", member).status_code == 403
    assert api.send("DELETE", f"/projects/{project}/members/{number}").status_code == 404
    assert api.events("member.deleted")[-1]["data"]["member"] == member.name


def test_a_member_is_reached_through_his_own_project_only(api: Api) -> None:
    own, foreign = api.project(), api.project()
    administrator = api.member(own, "projectAdmin")
    victim = api.member(foreign, "guest")
    number = next(m["id"] for m in api.get(f"/projects/{foreign}/members").json if m["entity_name"] == victim.name)
    for method, body in (("GET", None), ("PUT", {"role_id": 5}), ("DELETE", None)):
        assert api.send(method, f"/projects/{own}/members/{number}", administrator, body).status_code == 404
        assert api.send(method, f"/projects/{foreign}/members/{number}", administrator, body).status_code == 403
    assert api.get(f"/projects/{foreign}/members/{number}").json["role_name"] == "guest"


def test_nobody_grants_more_than_he_has(api: Api) -> None:
    project, friend = api.project(), api.user()
    robot = api.robot(project, ("member", "create"), ("member", "update"), ("member", "list"))
    body = {"role_id": 1, "member_user": {"username": friend.name}}
    answer = api.send("POST", f"/projects/{project}/members", robot, body)
    assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")
    number = api.made(f"/projects/{project}/members", body | {"role_id": 5})
    assert api.send("PUT", f"/projects/{project}/members/{number}", robot, {"role_id": 4}).status_code == 403
    assert api.get(f"/projects/{project}/members/{number}").json["role_id"] == 5


def test_members_are_listed_by_name_and_found_by_a_part_of_it(api: Api) -> None:
    project = api.project()
    members = sorted(api.member(project, "guest").name for _ in range(3))
    listed = api.get(f"/projects/{project}/members?page_size=2")
    assert [each["entity_name"] for each in listed.json] == ["admin", members[0]]
    assert listed.headers["x-total-count"] == "4"
    found = api.get(f"/projects/{project}/members?entityname={members[1].upper()}").json
    assert [each["entity_name"] for each in found] == [members[1]]
    assert api.get(f"/projects/{project}/members?entityname=%25").json == []


def test_members_are_sorted_and_filtered_by_their_role(api: Api) -> None:
    project = api.project()
    developer, guest, maintainer = (api.member(project, role).name for role in ("developer", "guest", "maintainer"))
    listed = api.get(f"/projects/{project}/members?sort=-role_id").json
    assert [each["entity_name"] for each in listed] == [maintainer, guest, developer, "admin"]
    assert [each["entity_name"] for each in api.get(f"/projects/{project}/members?q=role_id=2").json] == [developer]


@pytest.mark.parametrize(("number", "status"), [("x", 422), ("1.5", 422), ("0", 404), ("-1", 404), ("9" * 30, 404)])
def test_a_number_in_a_path_is_a_number(api: Api, number: str, status: int) -> None:
    project = api.project()
    assert api.get(f"/projects/{project}/members/{number}").status_code == status
