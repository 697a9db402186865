"""What the API tells of a directory, and the accounts that it makes of the directory's users."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.core import company
from tests.integration.core.people import ADMIN, Api, Caller, code, sentence
from tests.servers import free_port
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


def _configuration(directory: Directory, **more: object) -> dict[str, object]:
    return {
        "ldap_url": directory.url, "ldap_search_dn": directory.reader, "ldap_base_dn": directory.people_base,
        "ldap_search_password": directory.reader_password, "ldap_uid": "uid", "ldap_connection_timeout": 1,
    } | more  # fmt: skip


def test_the_configured_directory_is_tried_out_by_an_empty_request(api: Api) -> None:
    for body in (None, {}):
        answer = api.send("POST", "/ldap/ping", ADMIN, body)
        assert (answer.status_code, answer.json) == (200, {"success": True})


def test_a_directory_is_tried_out_before_it_is_configured(api: Api, directory: Directory) -> None:
    company.configure(api, directory, ldap_url="", auth_mode="db_auth")
    assert api.send("POST", "/ldap/ping", ADMIN, _configuration(directory)).json == {"success": True}
    assert api.get("/configurations").json["ldap_url"]["value"] == ""
    refused = api.send("POST", "/ldap/ping", ADMIN, {})
    assert (refused.status_code, code(refused)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ldap_search_password": "wrong"}, "search account"),
        ({"ldap_search_dn": "cn=nobody,dc=example,dc=test"}, "search account"),
        ({"ldap_base_dn": "dc=elsewhere,dc=test"}, ": noSuchObject: dc=elsewhere,dc=test"),
        ({"ldap_filter": "(objectClass="}, "filter"),
        ({"ldap_search_dn": ""}, "ldap_search_dn and ldap_search_password are needed"),
        ({"ldap_url": f"ldap://127.0.0.1:{free_port()}"}, "refused"),
        ({"ldap_url": "ldap://no-such-host.invalid"}, "no-such-host"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(list(value)),
)
def test_what_is_wrong_with_a_directory_is_told(
    api: Api, directory: Directory, wrong: dict[str, object], said: str
) -> None:
    answer = api.send("POST", "/ldap/ping", ADMIN, _configuration(directory, **wrong))
    assert answer.status_code == 200
    assert "success" not in answer.json
    assert said in answer.json["message"]
    assert directory.reader_password not in answer.text
    assert api.send("POST", "/ldap/ping", ADMIN).json == {"success": True}


def test_a_base_that_another_directory_keeps_is_told_and_not_taken_for_an_empty_one(
    api: Api, directory: Directory
) -> None:
    away = f"ou=away,{directory.base}"
    directory.add(
        f"dn: {away}\nobjectClass: referral\nobjectClass: extensibleObject\nou: away\n"
        f"ref: ldap://127.0.0.1:{free_port()}/{directory.base}\n"
    )
    tried = api.send("POST", "/ldap/ping", ADMIN, _configuration(directory, ldap_base_dn=away))
    assert (tried.status_code, tried.json) == (200, {"message": f"{directory.url}: referral: {away}"})
    assert api.get(f"/ldap/groups/search?groupdn=cn=ops,{away}").json == []
    company.configure(api, directory, ldap_base_dn=away)
    assert api.get("/users/current", Caller(name="p010", password=company.PEOPLE["p010"])).status_code == 503
    assert _stored(api, "SELECT count(*) FROM core.users WHERE username = 'p010'") == [(0,)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ldap_base_dn": "dc=x"}, 400),
        ({"ldap_url": "http://127.0.0.1"}, 400),
        ({"ldap_url": "ldap://a file:///etc/passwd"}, 400),
        ({"ldap_url": 5}, 400),
        ({"ldap_url": "ldap://a", "ldap_scope": 7}, 422),
        ({"ldap_url": "ldap://a", "ldap_connection_timeout": 3600}, 422),
        ([], 400),
    ],
)
def test_no_directory_is_asked_with_settings_that_cannot_be(api: Api, body: object, status: int) -> None:
    assert api.send("POST", "/ldap/ping", ADMIN, body).status_code == status


def test_the_stored_password_is_shown_to_no_other_server(api: Api, directory: Directory) -> None:
    without = _configuration(directory)
    del without["ldap_search_password"]
    assert api.send("POST", "/ldap/ping", ADMIN, without).json == {"success": True}
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen(5)
        elsewhere.settimeout(0.5)
        url = f"ldap://127.0.0.1:{elsewhere.getsockname()[1]}"
        answer = api.send("POST", "/ldap/ping", ADMIN, without | {"ldap_url": url})
        assert "success" not in answer.json
        with pytest.raises(TimeoutError):
            elsewhere.accept()


def test_a_user_is_found_by_his_whole_name_and_all_without_one(api: Api) -> None:
    found = api.get("/ldap/users/search?username=P042").json
    assert found == [{"username": "p042", "realname": "P042", "email": "p042@example.test"}]
    assert len(api.get("/ldap/users/search").json) == len(company.PEOPLE)
    for name in ("p04", "p0*", "*", "*)(uid=*", "nobody", "p042)(cn=*"):
        assert api.get("/ldap/users/search", params={"username": name}).json == [], name
    assert _stored(api, "SELECT FROM core.users WHERE username = 'p042'") == []


def test_a_group_is_found_by_name_or_distinguished_name_and_all_without_one(api: Api, directory: Directory) -> None:
    shown = [{"group_name": "team11", "group_type": 1, "ldap_group_dn": directory.group("team11")}]
    assert api.get("/ldap/groups/search?groupname=TEAM11").json == shown
    assert api.get("/ldap/groups/search", params={"groupdn": directory.group("Team11")}).json == shown
    assert len(api.get("/ldap/groups/search").json) == len(company.GROUPS)
    for params in ({"groupname": "team*"}, {"groupname": "*)(cn=*"}, {"groupdn": directory.group("absent")}):
        assert api.get("/ldap/groups/search", params=params).json == [], params
    assert api.get("/ldap/groups/search", params={"groupdn": "team11"}).status_code == 400
    assert _stored(api, "SELECT FROM core.user_groups") == []


def test_users_of_the_directory_are_imported_and_log_in(api: Api) -> None:
    body = {"ldap_uid_list": ["p200", "P201", "p200"]}
    answer = api.send("POST", "/ldap/users/import", ADMIN, body)
    assert (answer.status_code, answer.text) == (200, "")
    rows = _stored(
        api, "SELECT username, source, realname FROM core.users WHERE username IN ('p200', 'p201') ORDER BY 1"
    )
    assert rows == [("p200", "ldap", "P200"), ("p201", "ldap", "P201")]
    assert [event["actor"] for event in api.events("user.created")[-2:]] == ["admin", "admin"]
    made = len(api.events("user.created"))
    assert api.send("POST", "/ldap/users/import", ADMIN, body).status_code == 200
    assert len(api.events("user.created")) == made
    person = Caller(name="p200", password=company.PEOPLE["p200"])
    assert api.get("/users/current", person).json["realname"] == "P200"


def test_who_cannot_be_imported_is_told_and_the_others_are_imported(api: Api, directory: Directory) -> None:
    directory.add(
        f"dn: uid=admin,{directory.people_base}\nobjectClass: inetOrgPerson\nuid: admin\ncn: A\nsn: A\n\n"
        f"dn: uid=a$b,{directory.people_base}\nobjectClass: inetOrgPerson\nuid: a$b\ncn: A\nsn: A\n"
    )
    names = ["p210", "nobody", "*", "", "admin", "a$b", "p*"]
    # those that can be are imported all the same
    answer = api.beside_others().send("POST", "/ldap/users/import", ADMIN, {"ldap_uid_list": names})
    assert answer.status_code == 404
    assert {each["uid"] for each in answer.json} == {"nobody", "*", "", "admin", "a$b", "p*"}
    assert all(each["error"] for each in answer.json)
    assert _stored(api, "SELECT source FROM core.users WHERE username = 'p210'") == [("ldap",)]
    assert _stored(api, "SELECT source FROM core.users WHERE username = 'admin'") == [("database",)]
    for wrong, status in (({"ldap_uid_list": "p211"}, 400), ({"ldap_uid_list": [1]}, 400),
                          ({"ldap_uid_list": ["p211"] * 501}, 422)):  # fmt: skip
        assert api.send("POST", "/ldap/users/import", ADMIN, wrong).status_code == status
    assert _stored(api, "SELECT FROM core.users WHERE username = 'p211'") == []


def test_an_import_leaves_the_groups_of_who_is_here_already(api: Api, directory: Directory) -> None:
    company.configure(api, directory, ldap_group_admin_dn=directory.group("admins"))
    person = Caller(name="p000", password=company.PEOPLE["p000"])
    assert api.get("/users/current", person).json["admin_role_in_auth"] is True
    assert api.send("POST", "/ldap/users/import", ADMIN, {"ldap_uid_list": ["p000"]}).status_code == 200
    assert api.get("/users", person).status_code == 200
    setting = {"ldap_group_admin_dn": directory.group("ring-a")}
    assert api.send("PUT", "/configurations", person, setting).status_code == 200
    assert api.get("/users", person).status_code == 403
    assert api.get("/users/current", person).json["admin_role_in_auth"] is False
    company.configure(api, directory, ldap_group_admin_dn="")


def test_nobody_is_imported_while_logins_do_not_go_to_the_directory(api: Api, directory: Directory) -> None:
    company.configure(api, directory, auth_mode="db_auth")
    answer = api.send("POST", "/ldap/users/import", ADMIN, {"ldap_uid_list": ["p220"]})
    assert (answer.status_code, "auth_mode" in sentence(answer)) == (400, True)
    assert _stored(api, "SELECT FROM core.users WHERE username = 'p220'") == []
    assert len(api.get("/ldap/users/search?username=p220").json) == 1


def test_robots_of_the_system_may_what_they_were_given(api: Api, directory: Directory) -> None:
    reader = api.robot(None, system=(("ldap-user", "list"), ("user-group", "list")))
    writer = api.robot(None, system=(("ldap-user", "create"), ("user-group", "create")))
    group = {"group_type": 1, "ldap_group_dn": directory.group("team15")}
    calls = [
        ("GET", "/ldap/users/search", None, 200, 403),
        ("GET", "/ldap/groups/search", None, 200, 403),
        ("GET", "/usergroups", None, 200, 403),
        ("POST", "/ldap/users/import", {"ldap_uid_list": ["p230"]}, 403, 200),
        ("POST", "/usergroups", group, 403, 201),
        ("POST", "/ldap/ping", {}, 403, 403),
        ("DELETE", "/usergroups/1", None, 403, 403),
    ]
    for method, path, body, as_reader, as_writer in calls:
        statuses = [api.send(method, path, caller, body).status_code for caller in (reader, writer)]
        assert statuses == [as_reader, as_writer], path


def test_a_broken_directory_is_503_and_stops_nobody_of_the_database(api: Api, directory: Directory) -> None:
    company.configure(api, directory, ldap_url=f"ldap://127.0.0.1:{free_port()}")
    project = api.project()
    member = {"role_id": 2, "member_user": {"username": "p240"}}
    for method, path, body in (
        ("GET", "/ldap/users/search", None),
        ("GET", "/ldap/groups/search", None),
        ("POST", "/ldap/users/import", {"ldap_uid_list": ["p240"]}),
        ("POST", "/usergroups", {"group_type": 1, "ldap_group_dn": directory.group("team16")}),
        ("POST", f"/projects/{project}/members", member),
    ):
        answer = api.send(method, path, ADMIN, body)
        assert (answer.status_code, code(answer)) == (503, "UNAVAILABLE"), path
        assert answer.headers["retry-after"]
    assert api.get("/users/current", api.user()).status_code == 200
    assert _stored(api, "SELECT FROM core.users WHERE username = 'p240'") == []
