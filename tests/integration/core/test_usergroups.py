"""Groups of the directory through the API, and as members of projects."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import factories
from tests.integration.core import company
from tests.integration.core.people import ADMIN, ROLES, Api, Caller, code, sentence
from tests.slapd import LOOPBACK, Directory, slapd


@pytest.fixture(scope="module")
def outbound_allow() -> str:
    return LOOPBACK


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with slapd(company.PEOPLE, company.GROUPS) as directory:
        yield directory


@pytest.fixture(autouse=True)
def _configured(api: Api, directory: Directory) -> None:
    company.configure(api, directory)


def _stored(api: Api, query: str, *arguments: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query, arguments).fetchall()


def _group(api: Api, directory: Directory, name: str) -> int:
    """The number of a group of the directory, made known where it is not."""
    found = api.get(f"/usergroups?ldap_group_dn={directory.group(name)}").json
    return int(found[0]["id"]) if found else api.made("/usergroups", _named(directory, name))


def _named(directory: Directory, name: str) -> dict[str, Any]:
    return {"group_type": 1, "ldap_group_dn": directory.group(name)}


def _person(name: str) -> Caller:
    return Caller(name=name, password=company.PEOPLE[name])


def test_a_group_is_made_known_by_its_name_in_the_directory(api: Api, directory: Directory) -> None:
    wanted = {"group_name": "whatever", "group_type": 1, "ldap_group_dn": "CN=team05, OU=Groups ,dc=example,dc=test"}
    made = api.send("POST", "/usergroups", ADMIN, wanted)
    assert made.status_code == 201
    number = int(made.headers["location"].removeprefix("/api/v2.0/usergroups/"))
    shown = {"id": number, "group_name": "team05", "group_type": 1, "ldap_group_dn": directory.group("team05")}
    assert api.get(made.headers["location"]).json == shown
    assert _stored(api, "SELECT name, type, ldap_dn FROM core.user_groups WHERE id = %s", number) == [
        ("team05", 1, directory.group("team05"))
    ]
    assert api.events("user_group.created")[-1]["data"] | {"group_id": number, "group": "team05"} == (
        api.events("user_group.created")[-1]["data"]
    )
    again = api.send("POST", "/usergroups", ADMIN, _named(directory, "TEAM05"))
    assert (again.status_code, code(again)) == (409, "CONFLICT")
    assert len(_stored(api, "SELECT FROM core.user_groups WHERE lower(name) = 'team05'")) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"group_type": 1}, 400),
        ({"group_type": 1, "group_name": "team06"}, 400),
        ({"group_type": 1, "ldap_group_dn": "team06"}, 400),
        ({"group_type": 1, "ldap_group_dn": "cn=no-such-team,ou=groups,dc=example,dc=test"}, 400),
        ({"group_type": 1, "ldap_group_dn": "cn=team06,ou=elsewhere,dc=nowhere"}, 400),
        ({"group_type": 1, "ldap_group_dn": "uid=p001,ou=people,dc=example,dc=test"}, 400),
        ({"group_type": 1, "ldap_group_dn": "*)(cn=*"}, 400),
        ({"group_type": 2, "group_name": "http-group"}, 400),
        ({"group_type": 3, "group_name": "oidc-group"}, 400),
        ({"group_type": 0, "group_name": "x"}, 400),
        ({"group_type": "1", "ldap_group_dn": "cn=team06,ou=groups,dc=example,dc=test"}, 400),
        ({"group_type": 1, "ldap_group_dn": "cn=" + "x" * 2000}, 422),
    ],
)
def test_what_is_no_group_of_the_directory_is_refused_and_stored_nowhere(api: Api, body: object, status: int) -> None:
    before = _stored(api, "SELECT count(*) FROM core.user_groups")
    answer = api.send("POST", "/usergroups", ADMIN, body)
    assert answer.status_code == status, answer.text
    assert _stored(api, "SELECT count(*) FROM core.user_groups") == before


def test_groups_are_listed_by_name_by_a_part_of_it_and_by_distinguished_name(api: Api, directory: Directory) -> None:
    numbers = {name: _group(api, directory, name) for name in ("department1", "department2", "team10")}
    listed = api.get("/usergroups?group_name=DEPARTMENT&page_size=1")
    assert [each["group_name"] for each in listed.json] == ["department1"]
    assert listed.headers["x-total-count"] == "2"
    assert 'rel="next"' in listed.headers["link"]
    (found,) = api.get("/usergroups?ldap_group_dn=CN=Team10,ou=groups, dc=example,dc=test").json
    assert found["id"] == numbers["team10"]
    assert api.get("/usergroups?group_name=100%25").json == []
    assert api.get("/usergroups?ldap_group_dn=nonsense").status_code == 400


def test_whoever_is_signed_in_finds_groups_by_a_part_of_their_name(api: Api, directory: Directory) -> None:
    number = _group(api, directory, "department3")
    found = api.get("/usergroups/search?groupname=ment3", api.user()).json
    assert found == [{"id": number, "group_name": "department3", "group_type": 1}]
    assert api.get("/usergroups/search?groupname=_", api.user()).json == []
    assert api.get("/usergroups/search").status_code == 422


def test_a_group_is_renamed_here_and_nowhere_else(api: Api, directory: Directory) -> None:
    number = _group(api, directory, "department4")
    body = {"group_name": "Fourth", "group_type": 1, "ldap_group_dn": directory.group("team00")}
    assert api.send("PUT", f"/usergroups/{number}", ADMIN, body).status_code == 200
    assert _stored(api, "SELECT name, ldap_dn FROM core.user_groups WHERE id = %s", number) == [
        ("Fourth", directory.group("department4"))
    ]
    event = api.events("user_group.updated")[-1]["data"]
    assert (event["group"], event["previous_name"]) == ("Fourth", "department4")
    for wrong in ({}, {"group_name": ""}, {"group_name": " x"}, {"group_name": "a\nb"}, {"group_name": 5}):
        assert api.send("PUT", f"/usergroups/{number}", ADMIN, wrong).status_code == 400, wrong
    assert api.get(f"/usergroups/{number}").json["group_name"] == "Fourth"
    assert api.send("PUT", "/usergroups/999999", ADMIN, body).status_code == 404
    assert api.send("PUT", "/usergroups/x", ADMIN, body).status_code == 422


def test_a_deleted_group_takes_the_roles_it_gave_with_it(api: Api, directory: Directory) -> None:
    project, number = api.project(), _group(api, directory, "team07")
    api.made(f"/projects/{project}/members", {"role_id": 2, "member_group": {"id": number}})
    person = _person("p075")
    assert api.get(f"/projects/{project}", person).status_code == 200
    assert api.send("DELETE", f"/usergroups/{number}").status_code == 200
    assert api.get(f"/projects/{project}", person).status_code == 403
    for table in ("members", "user_group_members"):
        assert _stored(api, f"SELECT FROM core.{table} WHERE group_id = %s", number) == []
    assert api.events("user_group.deleted")[-1]["data"]["ldap_dn"] == directory.group("team07")
    assert api.send("DELETE", f"/usergroups/{number}").status_code == 404
    assert api.get(f"/usergroups/{number}").status_code == 404


def test_a_group_is_a_member_by_number_by_name_or_by_distinguished_name(api: Api, directory: Directory) -> None:
    number = _group(api, directory, "team08")
    ways: list[dict[str, Any]] = [
        {"id": number},
        {"group_name": "TEAM08", "group_type": 1},
        {"group_type": 1, "ldap_group_dn": directory.group("team08").upper()},
        {"ldap_group_dn": directory.group("team08")},
    ]
    for way in ways:
        project = api.project()
        made = api.send("POST", f"/projects/{project}/members", ADMIN, {"role_id": 4, "member_group": way})
        assert made.status_code == 201, made.text
        assert api.get(made.headers["location"]).json == {
            "id": int(made.headers["location"].rpartition("/")[2]),
            "project_id": api.get(f"/projects/{project}").json["project_id"],
            "entity_id": number, "entity_name": "team08", "entity_type": "g",
            "role_id": 4, "role_name": "maintainer",
        }  # fmt: skip
        again = api.send("POST", f"/projects/{project}/members", ADMIN, {"role_id": 3, "member_group": way})
        assert (again.status_code, code(again)) == (409, "CONFLICT")
        listed = api.get(f"/projects/{project}/members?entityname=eam0").json
        assert [(each["entity_type"], each["entity_name"]) for each in listed] == [("g", "team08")]
        assert api.get(f"/projects/{project}/summary").json["maintainer_count"] == 1
    event = api.events("member.created")[-1]["data"]
    assert (event["member"], event["kind"], event["role"]) == ("team08", "group", "maintainer")
    assert len(_stored(api, "SELECT FROM core.user_groups WHERE name = 'team08'")) == 1


@pytest.mark.parametrize("way", ["name", "dn"])
def test_a_group_that_only_the_directory_knows_becomes_known_as_a_member(
    api: Api, directory: Directory, way: str
) -> None:
    name = f"team1{len(way)}"
    assert _stored(api, "SELECT FROM core.user_groups WHERE name = %s", name) == []
    named = {"group_name": name, "group_type": 1} if way == "name" else _named(directory, name)
    project = api.project()
    owner = api.member(project, "projectAdmin")
    number = api.made(f"/projects/{project}/members", {"role_id": 3, "member_group": named}, owner)
    shown = api.get(f"/projects/{project}/members/{number}").json
    assert (shown["entity_type"], shown["entity_name"]) == ("g", name)
    assert _stored(api, "SELECT id, ldap_dn FROM core.user_groups WHERE name = %s", name) == [
        (shown["entity_id"], directory.group(name))
    ]
    assert api.events("user_group.created")[-1]["data"]["group"] == name


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"role_id": 2, "member_group": {}}, 400),
        ({"role_id": 2, "member_group": {"id": 999_999}}, 404),
        ({"role_id": 2, "member_group": {"id": -1}}, 404),
        ({"role_id": 2, "member_group": {"id": 2**40}}, 400),
        ({"role_id": 2, "member_group": {"group_name": "no-such-team", "group_type": 1}}, 404),
        ({"role_id": 2, "member_group": {"group_name": "*", "group_type": 1}}, 404),
        ({"role_id": 2, "member_group": {"group_name": "*)(cn=*"}}, 404),
        ({"role_id": 2, "member_group": {"group_name": "team20", "group_type": 3}}, 400),
        ({"role_id": 2, "member_group": {"ldap_group_dn": "cn=absent,ou=groups,dc=example,dc=test"}}, 400),
        ({"role_id": 2, "member_group": {"ldap_group_dn": "team20"}}, 400),
        ({"role_id": 9, "member_group": {"group_name": "team20"}}, 400),
        ({"role_id": 2, "member_group": {"group_name": "team20"}, "member_user": {"username": "admin"}}, 400),
        ({"role_id": 2, "member_group": {"group_name": 20}}, 400),
        ({"role_id": 2, "member_user": {"username": "nobody-known"}}, 404),
        ({"role_id": 2, "member_user": {"username": "*"}}, 404),
        ({"role_id": 2, "member_user": {"username": "p00*"}}, 404),
        ({"role_id": 2, "member_user": {"user_id": 2**40}}, 400),
    ],
)
def test_what_cannot_be_a_member_leaves_nothing_behind(api: Api, body: object, status: int) -> None:
    project = api.project()
    before = _stored(api, "SELECT (SELECT count(*) FROM core.user_groups), (SELECT count(*) FROM core.users)")
    answer = api.send("POST", f"/projects/{project}/members", ADMIN, body)
    assert answer.status_code == status, answer.text
    assert len(api.get(f"/projects/{project}/members").json) == 1
    assert _stored(api, "SELECT (SELECT count(*) FROM core.user_groups), (SELECT count(*) FROM core.users)") == before


def test_a_user_that_only_the_directory_knows_gets_an_account_as_a_member(api: Api) -> None:
    project = api.project()
    number = api.made(f"/projects/{project}/members", {"role_id": 2, "member_user": {"username": "P123"}})
    ((user_id, source, mail),) = _stored(api, "SELECT id, source, email FROM core.users WHERE username = 'p123'")
    assert (source, mail) == ("ldap", "p123@example.test")
    assert api.get(f"/projects/{project}/members/{number}").json["entity_id"] == user_id
    event = api.events("user.created")[-1]
    assert (event["data"]["username"], event["actor"]) == ("p123", "admin")
    assert api.get(f"/projects/{project}", _person("p123")).json["current_user_role_id"] == ROLES["developer"]
    assert len(_stored(api, "SELECT FROM core.users WHERE username = 'p123'")) == 1


def test_nobody_gives_a_group_more_than_he_has_and_nothing_becomes_known_by_trying(
    api: Api, directory: Directory
) -> None:
    project = api.project()
    robot = api.robot(project, ("member", "create"), ("member", "update"))
    body = {"role_id": 1, "member_group": _named(directory, "team21")}
    answer = api.send("POST", f"/projects/{project}/members", robot, body)
    assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")
    assert _stored(api, "SELECT FROM core.user_groups WHERE name = 'team21'") == []
    number = api.made(f"/projects/{project}/members", body | {"role_id": 5})
    assert api.send("PUT", f"/projects/{project}/members/{number}", robot, {"role_id": 1}).status_code == 403
    assert api.send("PUT", f"/projects/{project}/members/{number}", ADMIN, {"role_id": 1}).status_code == 200
    event = api.events("member.updated")[-1]["data"]
    assert (event["kind"], event["member"], event["previous_role"]) == ("group", "team21", "limitedGuest")
    assert api.send("DELETE", f"/projects/{project}/members/{number}").status_code == 200
    assert api.events("member.deleted")[-1]["data"]["kind"] == "group"
    assert len(api.get(f"/projects/{project}/members").json) == 1


def test_two_groups_of_one_name_must_be_told_apart(api: Api, directory: Directory) -> None:
    with api.database.superuser() as connection:
        for unit in ("a", "b"):
            factories.group(connection, "twins", f"cn=twins,ou={unit},{directory.base}")
    body = {"role_id": 2, "member_group": {"group_name": "twins", "group_type": 1}}
    answer = api.send("POST", f"/projects/{api.project()}/members", ADMIN, body)
    assert answer.status_code == 400
    assert "ldap_group_dn" in sentence(answer)


def test_without_a_directory_there_are_no_new_groups(api: Api, directory: Directory) -> None:
    number = _group(api, directory, "team22")
    company.configure(api, directory, ldap_url="", auth_mode="db_auth")
    for path, body in (
        ("/usergroups", _named(directory, "team23")),
        (f"/projects/{api.project()}/members", {"role_id": 2, "member_group": _named(directory, "team23")}),
    ):
        answer = api.send("POST", path, ADMIN, body)
        assert answer.status_code == 400, answer.text
        assert "ldap_url" in sentence(answer)
    body = {"role_id": 2, "member_group": {"group_name": "team22"}}
    assert api.get(f"/usergroups/{number}").status_code == 200
    assert api.send("POST", f"/projects/{api.project()}/members", ADMIN, body).status_code == 201
