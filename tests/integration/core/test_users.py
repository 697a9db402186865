"""Users through the API: accounts, profiles, passwords, administrators."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from falcon.testing import Result

from shared.auth.guard import PER_ACCOUNT
from tests.integration.core.people import ADMIN, NOBODY, PASSWORD, Api, Caller, code, sentence
from tests.integration.core.test_sessions import Browser

NEW = {"username": "anna", "email": "anna@example.test", "realname": "Anna", "comment": "c", "password": PASSWORD}


def test_a_new_user_signs_in_with_his_password(api: Api) -> None:
    number = api.made("/users", NEW)
    shown = api.get("/users/current", Caller(name="anna")).json
    assert shown["user_id"] == number
    assert (shown["email"], shown["realname"], shown["sysadmin_flag"]) == ("anna@example.test", "Anna", False)
    assert api.get("/users/current", Caller(name="ANNA")).json["username"] == "anna"
    assert not {"password", "password_hash", "salt"} & set(shown)
    event = api.events("user.created")[-1]
    assert (event["actor"], event["subject"], event["data"]["user_id"]) == ("admin", "anna", number)


def test_nobody_makes_himself_an_administrator(api: Api) -> None:
    smuggled = {"sysadmin_flag": True, "has_admin_role": True, "admin_role_in_auth": True, "user_id": 1, "role_id": 1}
    body = NEW | {"username": "bert", "email": "bert@example.test"} | smuggled
    number = api.made("/users", body)
    bert = Caller(name="bert")
    assert number != 1
    assert api.get("/users/current", bert).json["sysadmin_flag"] is False
    profile = {"email": "bert@example.test", "realname": "B", "comment": "", "username": "admin", **smuggled}
    assert api.send("PUT", f"/users/{number}", bert, profile).status_code == 200
    shown = api.get("/users/current", bert).json
    assert (shown["username"], shown["sysadmin_flag"], shown["realname"]) == ("bert", False, "B")
    assert api.send("PUT", f"/users/{number}/sysadmin", bert, {"sysadmin_flag": True}).status_code == 403


@pytest.mark.parametrize(
    "change", [{"username": "admin"}, {"username": "ADMIN"}, {"email": "TAKEN@example.test"}, {"username": "anonymous"}]
)
def test_a_taken_name_or_address_is_a_conflict(api: Api, change: dict[str, str]) -> None:
    taken = {"username": "taken", "email": "taken@example.test"}
    api.send("POST", "/users", ADMIN, NEW | taken)
    answer = api.send("POST", "/users", ADMIN, NEW | {"username": "free", "email": "free@example.test"} | change)
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "change",
    [{"username": ""}, {"username": "a,b"}, {"username": "system:x"}, {"username": "robot$x"}, {"email": "none"},
     {"realname": ""}, {"comment": "x" * 31}, {"password": "weak"}, {"password": ""}, {"username": 5}],
)  # fmt: skip
def test_an_account_that_breaks_a_rule_is_not_made(api: Api, change: dict[str, object]) -> None:
    before = api.get("/users").headers["x-total-count"]
    body = NEW | {"username": "broken", "email": "broken@example.test"} | change
    assert api.send("POST", "/users", ADMIN, body).status_code == 400
    assert api.get("/users").headers["x-total-count"] == before


def test_a_password_is_changed_only_with_the_old_one(api: Api) -> None:
    caller = api.user()
    path = f"/users/{api.user_id(caller)}/password"
    wrong = api.send("PUT", path, caller, {"old_password": "Wrong1horse", "new_password": "Another1horse"})
    assert (wrong.status_code, sentence(wrong)) == (403, "the current password is not correct")
    same = api.send("PUT", path, caller, {"old_password": PASSWORD, "new_password": PASSWORD})
    assert same.status_code == 400
    weak = api.send("PUT", path, caller, {"old_password": PASSWORD, "new_password": "weak"})
    assert weak.status_code == 400
    done = api.send("PUT", path, caller, {"old_password": PASSWORD, "new_password": "Another1horse"})
    assert done.status_code == 200
    assert api.get("/users/current", caller).status_code == 401
    assert api.get("/users/current", Caller(name=caller.name, password="Another1horse")).status_code == 200
    assert api.events("user.password_changed")[-1]["data"]["username"] == caller.name


def test_the_old_password_is_guessed_no_more_often_than_at_a_login(api: Api) -> None:
    """A session that was left open is not the password yet."""
    caller = api.user()
    path = f"/users/{api.user_id(caller)}/password"
    guesses = [
        api.send("PUT", path, caller, {"old_password": f"Guess{number}aA", "new_password": "Another1horse"})
        for number in range(PER_ACCOUNT + 2)
    ]
    assert guesses[0].status_code == 403
    assert (guesses[-1].status_code, code(guesses[-1])) == (429, "TOO_MANY_REQUEST")
    assert int(guesses[-1].headers["retry-after"]) > 0
    failed = api.events("user.login_failed")[-1]
    assert failed["data"]["username"] == caller.name


def test_an_administrator_sets_a_password_without_the_old_one(api: Api) -> None:
    caller = api.user()
    path = f"/users/{api.user_id(caller)}/password"
    assert api.send("PUT", path, ADMIN, {"new_password": "Another1horse"}).status_code == 200
    assert api.events("user.password_changed")[-1]["actor"] == "admin"
    assert api.get("/users/current", caller).status_code == 401


def test_a_robot_that_may_change_users_cannot_take_an_account_over(api: Api) -> None:
    robot = api.robot(None, system=(("user", "update"), ("user", "read"), ("user", "list")))
    assert api.get("/users/1", robot).status_code == 200
    assert api.send("PUT", "/users/1/password", robot, {"new_password": "Another1horse"}).status_code == 403
    assert api.send("PUT", "/users/1/sysadmin", robot, {"sysadmin_flag": False}).status_code == 403
    assert api.get("/users/current", robot).status_code == 412


def test_a_robot_that_may_change_users_changes_no_administrator(api: Api) -> None:
    robot = api.robot(None, system=(("user", "update"), ("user", "delete"), ("user", "read")))
    administrator, somebody = api.user(admin=True), api.user()
    body = {"email": "taken.over@example.test", "realname": "Taken Over", "comment": ""}
    for number in (1, api.user_id(administrator)):
        before = api.get(f"/users/{number}").json
        answer = api.send("PUT", f"/users/{number}", robot, body)
        assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")
        assert api.send("DELETE", f"/users/{number}", robot).status_code == 403
        assert api.get(f"/users/{number}").json == before
    number = api.user_id(somebody)
    assert api.send("PUT", f"/users/{number}", robot, body).status_code == 200
    assert api.get(f"/users/{number}").json["realname"] == "Taken Over"
    assert api.send("DELETE", f"/users/{number}", robot).status_code == 200
    number = api.user_id(administrator)
    assert api.send("PUT", f"/users/{number}", ADMIN, body).status_code == 200
    assert api.send("DELETE", f"/users/{number}", ADMIN).status_code == 200


def test_nobody_registers_himself(api: Api) -> None:
    body = NEW | {"username": "self", "email": "self@example.test"}
    refused = [api.send("POST", "/users", caller, body) for caller in (NOBODY, api.user())]
    assert [(each.status_code, code(each)) for each in refused] == [(401, "UNAUTHORIZED"), (403, "FORBIDDEN")]
    assert api.get("/users?q=username=self").json == []


def disable(api: Api, number: int, caller: Caller = ADMIN, *, flag: object = True) -> Result:
    return api.send("PUT", f"/users/{number}/disabled", caller, {"disabled": flag})


def test_a_disabled_account_is_out_at_once_and_in_again_when_it_is_enabled(api: Api) -> None:
    project = api.project()
    caller = api.member(project, "developer")
    number = api.user_id(caller)
    for _ in range(2):
        assert disable(api, number).status_code == 200
    assert api.get("/users/current", caller).status_code == 401
    assert api.get(f"/users/{number}").json["disabled"] is True
    found = api.get(f"/users?q=disabled=true,username={caller.name}").json
    assert [each["username"] for each in found] == [caller.name]
    assert disable(api, number, flag=False).status_code == 200
    assert api.get("/users/current", caller).json["disabled"] is False
    assert api.get(f"/users?q=disabled=true,username={caller.name}").json == []
    assert api.get(f"/projects/{project}", caller).status_code == 200
    told = [each for each in api.events("user.updated") if each["subject"] == caller.name]
    assert [(each["actor"], each["data"]["changed"], each["data"]["disabled"]) for each in told] == [
        ("admin", ["disabled"], True), ("admin", ["disabled"], False),
    ]  # fmt: skip


def test_sessions_and_refresh_tokens_of_a_disabled_account_stay_void(api: Api) -> None:
    caller = api.user()
    number = api.user_id(caller)
    browser = Browser(api)
    browser.sign_in(caller)
    assert browser.get("/users/current").status_code == 200
    for flag in (True, False):
        disable(api, number, flag=flag)
        assert browser.get("/users/current").status_code == 401
    with api.database.superuser() as connection:
        row = connection.execute("SELECT credential_version FROM core.users WHERE id = %s", (number,)).fetchone()
    assert row == (3,), "what a refresh token was made for is another account now"


def test_nobody_disables_himself_or_the_last_administrator(api: Api) -> None:
    answer = disable(api, 1)
    assert (answer.status_code, sentence(answer)) == (403, "you cannot disable your own account")
    second = api.user(admin=True)
    number = api.user_id(second)
    assert disable(api, 1, second).status_code == 200
    assert api.get("/users", ADMIN).status_code == 401
    assert disable(api, number, second).status_code == 403
    leaving = api.send("PUT", f"/users/{number}/sysadmin", second, {"sysadmin_flag": False})
    assert (leaving.status_code, sentence(leaving)) == (403, "the last system administrator cannot be removed")
    assert disable(api, 1, second, flag=False).status_code == 200
    assert disable(api, number).status_code == 200
    assert api.get(f"/users/{number}").json["disabled"] is True


def test_of_two_administrators_who_disable_each_other_at_once_one_stays(api: Api) -> None:
    second = api.user(admin=True)
    number = api.user_id(second)
    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(
            threads.map(lambda pair: disable(api, *pair).status_code, [(1, second), (number, ADMIN)])
        )
    assert statuses[0] == 200
    assert statuses[1] in {401, 403}, "the other is no longer let in, or is the last"
    left = ADMIN if api.get("/users", ADMIN).status_code == 200 else second
    for each in (1, number):
        assert disable(api, each, left, flag=False).status_code == 200
    assert api.send("PUT", f"/users/{number}/sysadmin", ADMIN, {"sysadmin_flag": False}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"), [({}, 422), ({"disabled": None}, 422), ({"disabled": "perhaps"}, 400), ([], 400)]
)
def test_a_body_that_does_not_say_whether_disables_nobody(api: Api, body: object, status: int) -> None:
    caller = api.user()
    path = f"/users/{api.user_id(caller)}/disabled"
    assert api.send("PUT", path, ADMIN, body).status_code == status
    assert api.get("/users/current", caller).status_code == 200
    assert disable(api, 999_999_999).status_code == 404
    assert api.send("PUT", "/users/x/disabled", ADMIN, {"disabled": True}).status_code == 422


def test_a_robot_disables_nobody(api: Api) -> None:
    robot = api.robot(None, system=(("user", "update"), ("user", "read")))
    caller = api.user()
    assert disable(api, api.user_id(caller), robot).status_code == 403
    assert api.get("/users/current", caller).status_code == 200


def test_the_last_administrator_cannot_leave(api: Api) -> None:
    answer = api.send("PUT", "/users/1/sysadmin", ADMIN, {"sysadmin_flag": False})
    assert (answer.status_code, sentence(answer)) == (403, "the last system administrator cannot be removed")
    assert api.send("DELETE", "/users/1", ADMIN).status_code == 403
    second = api.user(admin=True)
    number = api.user_id(second)

    def make_administrator(user_id: int, caller: Caller, *, flag: bool) -> int:
        return api.send("PUT", f"/users/{user_id}/sysadmin", caller, {"sysadmin_flag": flag}).status_code

    assert api.send("DELETE", f"/users/{number}", second).status_code == 403
    assert make_administrator(1, second, flag=False) == 200
    assert api.get("/users", ADMIN).status_code == 403
    assert make_administrator(number, second, flag=False) == 403
    assert make_administrator(1, second, flag=True) == 200
    assert api.send("DELETE", "/users/1", second).status_code == 403
    assert make_administrator(number, ADMIN, flag=False) == 200
    assert api.events("user.updated")[-1]["data"] | {"request_id": "", "client": {}} == {
        "username": second.name, "user_id": number, "changed": ["sysadmin_flag"], "admin": False,
        "disabled": None, "request_id": "", "client": {},
    }  # fmt: skip


def test_a_deleted_users_name_and_address_are_free_and_his_roles_gone(api: Api) -> None:
    project = api.project()
    caller = api.member(project, "developer")
    number = api.user_id(caller)
    assert api.send("DELETE", f"/users/{number}").status_code == 200
    assert api.get("/users/current", caller).status_code == 401
    assert api.get(f"/users/{number}").status_code == 404
    assert api.send("DELETE", f"/users/{number}").status_code == 404
    assert caller.name not in {each["entity_name"] for each in api.get(f"/projects/{project}/members").json}
    body = NEW | {"username": caller.name, "email": f"{caller.name}@example.test"}
    assert api.made("/users", body) != number
    assert api.get(f"/projects/{project}", caller).status_code == 403
    assert api.events("user.deleted")[-1]["data"]["username"] == caller.name


def test_an_address_can_be_only_one_accounts(api: Api) -> None:
    anna, bert = api.user(), api.user()
    body = {"email": f"{anna.name.upper()}@example.test", "realname": "Bert", "comment": ""}
    path = f"/users/{api.user_id(bert)}"
    assert api.send("PUT", path, bert, body).status_code == 409
    assert api.get(path, bert).json["realname"] == bert.name
    assert api.send("PUT", path, bert, body | {"email": "bert.b@example.test"}).status_code == 200
    assert api.events("user.updated")[-1]["data"]["changed"] == ["email", "realname"]


def test_of_two_administrators_who_remove_each_other_at_once_one_stays(api: Api) -> None:
    second = api.user(admin=True)
    number = api.user_id(second)

    def demote(pair: tuple[int, Caller]) -> int:
        return api.send("PUT", f"/users/{pair[0]}/sysadmin", pair[1], {"sysadmin_flag": False}).status_code

    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(threads.map(demote, [(1, second), (number, ADMIN)]))
    assert statuses == [200, 403]
    left = ADMIN if api.get("/users", ADMIN).status_code == 200 else second
    assert api.send("PUT", "/users/1/sysadmin", left, {"sysadmin_flag": True}).status_code == 200
    assert api.send("PUT", f"/users/{number}/sysadmin", ADMIN, {"sysadmin_flag": False}).status_code == 200


def test_everybody_finds_names_and_nothing_else(api: Api) -> None:
    caller = api.user()
    found = api.get(f"/users/search?username={caller.name.upper()}", caller)
    assert found.json[0] == {"user_id": api.user_id(caller), "username": caller.name}
    assert api.get("/users/search", caller).status_code == 422
    assert api.get("/users/search?username=%25", caller).json == []


def test_the_list_of_users_is_filtered_by_what_it_shows(api: Api) -> None:
    caller = api.user()
    assert [each["username"] for each in api.get(f"/users?q=username={caller.name}").json] == [caller.name]
    assert [each["username"] for each in api.get(f"/users?q=email=~{caller.name}@").json] == [caller.name]
    for hidden in ("password=~a", "password_hash=~%24argon2", "salt=x", "credential_version=1"):
        answer = api.get(f"/users?q={hidden}")
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
    assert api.get("/users?sort=password").status_code == 400
    everybody = api.get("/users?page_size=100").json
    assert "anonymous" not in {each["username"] for each in everybody}


def test_what_one_may_do_is_told_by_project_and_for_the_system(api: Api) -> None:
    project = api.project()
    number = api.get(f"/projects/{project}").json["project_id"]
    guest = api.member(project, "guest")

    def told(query: str, caller: Caller) -> set[tuple[str, str]]:
        found = api.get(f"/users/current/permissions?{query}", caller).json
        return {(each["resource"], each["action"]) for each in found}

    assert ("repository", "pull") in told(f"scope=/project/{number}&relative=true", guest)
    assert (f"/project/{number}/repository", "pull") in told(f"scope=/project/{number}", guest)
    assert ("repository", "push") not in told(f"scope=/project/{number}&relative=true", guest)
    assert ("member", "delete") in told(f"scope=/project/{number}&relative=true", ADMIN)
    assert told("", guest) == set()
    assert ("user", "list") in told("", ADMIN)
    assert api.get("/users/current/permissions?scope=/else", guest).status_code == 400


def test_what_one_may_do_does_not_tell_whether_a_project_exists(api: Api) -> None:
    closed = api.project()
    number = api.get(f"/projects/{closed}").json["project_id"]
    robot = api.robot(api.project(), ("repository", "pull"))
    for caller in (api.user(), robot):
        for named in (closed, number, "no-such-project", "999999999", "99999999999"):
            answer = api.get(f"/users/current/permissions?scope=/project/{named}", caller)
            assert (answer.status_code, answer.json) == (200, []), named
    for named in ("no-such-project", "999999999"):
        assert api.get(f"/users/current/permissions?scope=/project/{named}").status_code == 404


def test_accounts_of_a_directory_are_not_changed_here(api: Api) -> None:
    caller = api.user()
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.users SET source = 'ldap' WHERE username = %s", (caller.name,))
        row = connection.execute("SELECT id FROM core.users WHERE username = %s", (caller.name,)).fetchone()
    assert row
    body = {"email": "other@example.test", "realname": "Other", "comment": ""}
    assert api.send("PUT", f"/users/{row[0]}", ADMIN, body).status_code == 403
    assert api.send("PUT", f"/users/{row[0]}/password", ADMIN, {"new_password": "Another1horse"}).status_code == 403


def test_the_roles_that_somebody_has_are_listed_by_project(api: Api) -> None:
    joined, own = sorted((api.project(), api.project()))
    other = api.project(public=True)
    person = api.user()
    for project, role in ((joined, 3), (own, 1)):
        member = {"role_id": role, "member_user": {"username": person.name}}
        assert api.send("POST", f"/projects/{project}/members", ADMIN, member).status_code == 201
    answer = api.get("/users/current/roles", person)
    assert answer.headers["x-total-count"] == "2"
    assert [(each["project_name"], each["role_id"], each["role_name"]) for each in answer.json] == [
        (joined, 3, "guest"), (own, 1, "projectAdmin"),
    ]  # fmt: skip
    second = api.get("/users/current/roles?page=2&page_size=1", person)
    assert ([each["project_name"] for each in second.json], second.headers["x-total-count"]) == ([own], "2")
    assert [each["project_name"] for each in api.get(f"/users/current/roles?q=name={own}", person).json] == [own]
    assert other not in {each["project_name"] for each in api.get("/users/current/roles?page_size=100", person).json}
    assert api.get("/users/current/roles", api.robot(own, ("repository", "pull"))).json == []
    assert api.get("/users/current/roles", NOBODY).status_code == 401
    assert api.send("DELETE", f"/projects/{own}").status_code == 200
    assert [each["project_name"] for each in api.get("/users/current/roles", person).json] == [joined]
