"""One's own account, and everybody's for administrators: profile, password, tokens, users."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from itertools import count

import pytest

from tests.integration.core.people import ADMIN, PASSWORD, Api, Caller
from tests.integration.portal.browsing import HOST, HOSTILE, Browser, Reading

NEW_PASSWORD = "Another2horse"
_numbers = count(1)

OF_ADMINISTRATORS = [
    "/admin/users", "/admin/users/new", "/admin/users/1/edit", "/admin/users/1/password",
    "/admin/users/1/administrator", "/admin/users/1/disable", "/admin/users/1/enable", "/admin/users/1/delete",
    "/admin/groups", "/admin/groups/new",
    "/admin/groups/1/rename", "/admin/groups/1/delete", "/admin/robots", "/admin/robots/new",
    "/admin/robots/1/edit", "/admin/robots/1/secret", "/admin/robots/1/switch", "/admin/robots/1/delete",
    "/admin/labels", "/admin/labels/new", "/admin/labels/1/edit", "/admin/labels/1/delete", "/admin/quotas",
    "/admin/quotas/1/edit", "/admin/directory", "/admin/directory/search", "/admin/settings",
    "/admin/audit-purge", "/admin/audit-purge/1/log", "/admin/audit-purge/1/stop",
    "/admin/garbage", "/admin/garbage/1/log", "/admin/garbage/1/stop", "/admin/health",
    "/admin/queues/parked", "/admin/queues/parked/notifications/1", "/admin/queues", "/admin/queues/audit",
    "/admin/queues/audit/letters/1",
]  # fmt: skip


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def new_user(**more: str) -> dict[str, str]:
    name = f"new{next(_numbers)}"
    return {"username": name, "email": f"{name}@example.test", "realname": name, "password": PASSWORD} | more


def token_of(api: Api, caller: Caller) -> str:
    """A refresh token of an account, as a docker client's login leaves one; its number."""
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            INSERT INTO token.refresh_tokens (token_hash, user_id, credential_version, client_id, expires_at)
            SELECT sha256(%s), id, credential_version, %s, now() + interval '1 day' FROM core.users WHERE username = %s
            RETURNING id
            """,
            (f"{caller.name}{next(_numbers)}".encode(), f"docker {HOSTILE}"[:60], caller.name),
        ).fetchone()
    assert row
    return str(row[0])


@pytest.mark.parametrize("path", OF_ADMINISTRATORS)
def test_pages_of_administration_are_closed_to_others(api: Api, path: str) -> None:
    member = api.member(api.project(), "projectAdmin")
    answer = Browser(api).sign_in(member).get(path)
    assert answer.status_code == 403
    assert "You may not do this" in Reading(answer.text).text
    assert Browser(api).get(path).headers["location"].startswith("/sign-in?next=")


def test_only_administrators_are_offered_administration(api: Api, admin: Browser) -> None:
    links = Browser(api).sign_in(api.user()).read("/profile").links()
    assert not {link for link in links if link.startswith("/admin")}
    assert {"/admin/users", "/admin/queues", "/admin/health"} <= admin.read("/profile").links()


def test_a_profile_tells_of_the_account_and_its_roles(api: Api) -> None:
    project = api.project()
    user = api.member(project, "maintainer")
    page = Browser(api).sign_in(user).read("/profile")
    assert user.name in page.text
    assert f"{project} Maintainer" in page.text
    assert {"/profile/edit", "/profile/password", f"/projects/{project}"} <= page.links()
    assert Browser(api).get("/profile").status_code == 303


def test_a_profile_is_changed_by_its_owner_and_shown_escaped(api: Api) -> None:
    user = api.user()
    browser = Browser(api).sign_in(user)
    answer = browser.post("/profile/edit", {"realname": HOSTILE, "email": f"{user.name}@new.test", "comment": "<b>x"})
    assert "Your profile is changed." in Reading(answer.text).text
    assert HOSTILE in Reading(answer.text).text
    assert "<script>alert" not in answer.text
    account = api.get("/users/current", user).json
    assert (account["realname"], account["email"], account["comment"]) == (HOSTILE, f"{user.name}@new.test", "<b>x")
    values = browser.read("/profile/edit").values()
    assert (values["realname"], values["comment"]) == (HOSTILE, "<b>x")


def test_a_refused_profile_is_shown_again_as_it_was_typed(api: Api) -> None:
    user = api.user()
    answer = Browser(api).sign_in(user).post("/profile/edit", {"realname": HOSTILE, "email": "no address"})
    page = Reading(answer.text)
    assert answer.status_code == 400
    assert "e-mail address is missing or malformed" in page.text
    assert (page.values()["realname"], page.values()["email"]) == (HOSTILE, "no address")
    assert api.get("/users/current", user).json["realname"] == user.name


def test_a_changed_password_ends_every_session(api: Api) -> None:
    user = api.user()
    browser, other = Browser(api).sign_in(user), Browser(api).sign_in(user)
    fields = {"old_password": PASSWORD, "new_password": NEW_PASSWORD, "again": NEW_PASSWORD}
    answer = browser.post("/profile/password", fields, follow=False)
    assert answer.headers["location"] == "/sign-in"
    assert "Your password is changed." in browser.read("/sign-in").text
    assert [each.get("/profile").status_code for each in (browser, other)] == [303, 303]
    assert Browser(api).sign_in(Caller(name=user.name, password=NEW_PASSWORD)).get("/profile").status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"old_password": "wrong"}, 403, "The current password is not correct"),
        ({"new_password": "short", "again": "short"}, 400, "8 to 128 characters"),
        ({"again": "Different3horse"}, 400, "The two entries of the new password differ"),
    ],
)
def test_a_password_that_cannot_be_is_refused_and_never_shown(
    api: Api, fields: dict[str, str], status: int, said: str
) -> None:
    user = api.user()
    given = {"old_password": PASSWORD, "new_password": NEW_PASSWORD, "again": NEW_PASSWORD} | fields
    answer = Browser(api).sign_in(user).post("/profile/password", given)
    assert answer.status_code == status
    assert said in Reading(answer.text).text
    assert not {value for value in given.values() if value in answer.text}
    assert api.get("/users/current", user).status_code == 200


def test_refresh_tokens_are_listed_and_revoked_one_by_one_or_all(api: Api) -> None:
    user = api.user()
    number, *_ = [token_of(api, user) for _ in range(3)]
    browser = Browser(api).sign_in(user)
    answer = browser.get("/profile", part="list")
    assert "<h1" not in answer.text
    assert "<script>alert" not in answer.text
    assert f"/profile/tokens/{number}/revoke" in Reading(answer.text).links()
    assert "Revoke 1 refresh token" in browser.read(f"/profile/tokens/{number}/revoke").text
    browser.post(f"/profile/tokens/{number}/revoke", {})
    path = f"/users/{api.user_id(user)}/refresh_tokens"
    assert len(api.get(path, user).json) == 2
    assert "Revoke 2 tokens" in browser.read("/profile/tokens/all/revoke").text
    assert "No client keeps one." in Reading(browser.post("/profile/tokens/all/revoke", {}).text).text
    assert api.get(path, user).json == []
    assert browser.post(f"/profile/tokens/{number}/revoke", {}).status_code == 404


def test_a_refresh_token_is_made_and_shown_once_with_what_to_do_with_it(api: Api) -> None:
    user = api.user()
    browser = Browser(api).sign_in(user)
    assert "/profile/tokens/new" in browser.read("/profile").links()
    answer = browser.post("/profile/tokens/new", {"client_id": HOSTILE})
    page = Reading(answer.text)
    (token,) = set(re.findall(r"bwrt_[\w-]+", page.text))
    assert HOSTILE in page.text
    assert "<script>alert" not in answer.text
    assert "grant_type=refresh_token -d service=breakwater-registry" in page.text
    entry = {"auth": b64encode(f"{user.name}:".encode()).decode(), "identitytoken": token}
    copied = [each["data-copy"] for each in page.all("button") if "data-copy" in each]
    assert json.loads(copied[-1]) == {"auths": {HOST: entry}}
    assert copied[0] == token
    (listed,) = api.get(f"/users/{api.user_id(user)}/refresh_tokens", user).json
    assert listed["client_id"] == HOSTILE
    shown = browser.get("/profile")
    assert token not in shown.text
    assert HOSTILE in Reading(shown.text).text


def test_a_refresh_token_without_a_name_is_asked_for_again(api: Api) -> None:
    user = api.user()
    browser = Browser(api).sign_in(user)
    answer = browser.post("/profile/tokens/new", {"client_id": "x" * 256})
    assert answer.status_code == 400
    assert Reading(answer.text).values()["client_id"] == "x" * 256
    assert "1 to 255 printable characters" in Reading(answer.text).text
    assert api.get(f"/users/{api.user_id(user)}/refresh_tokens", user).json == []
    assert Browser(api).get("/profile/tokens/new").status_code == 303


def test_users_are_found_sorted_and_shown_page_by_page(api: Api, admin: Browser) -> None:
    user, other = api.user(), api.user(admin=True)
    found = admin.read(f"/admin/users?q={user.name}")
    assert user.name in found.text
    assert other.name not in found.text
    admins = admin.read("/admin/users?admins=yes&sort=-username")
    assert admins.text.index(other.name) < admins.text.index("admin (you)")
    assert user.name not in admins.text
    assert "No user matches" in admin.read("/admin/users?q=nobody-like-this").text
    assert "<h1" not in admin.get("/admin/users", part="list").text


def test_a_user_is_made_as_an_administrator_or_not(api: Api, admin: Browser) -> None:
    plain, chief = new_user(realname=HOSTILE), new_user(sysadmin="on")
    answer = admin.post("/admin/users/new", plain)
    assert f"User {plain['username']} is made." in Reading(answer.text).text
    admin.post("/admin/users/new", chief)
    shown = admin.get(f"/admin/users?q={plain['username']}").text
    assert "<script>alert" not in shown
    assert HOSTILE in Reading(shown).text
    flags = [api.get("/users/current", Caller(name=each["username"])).json["sysadmin_flag"] for each in (plain, chief)]
    assert flags == [False, True]


def test_a_user_who_cannot_be_is_shown_again_without_the_password(admin: Browser) -> None:
    fields = new_user(username=HOSTILE)
    answer = admin.post("/admin/users/new", fields)
    values = Reading(answer.text).values()
    assert answer.status_code == 400
    assert (values["username"], values["email"], values["password"]) == (HOSTILE, fields["email"], "")
    assert "<script>alert" not in answer.text


def test_administration_is_given_and_taken_away_but_the_last_stays(api: Api, admin: Browser) -> None:
    user = api.user()
    path = f"/admin/users/{api.user_id(user)}/administrator"
    assert f"Make {user.name} a system administrator" in admin.read(path).text
    assert f"{user.name} is now a system administrator." in Reading(admin.post(path, {}).text).text
    assert api.get("/users/current", user).json["sysadmin_flag"] is True
    assert "Take it away" in admin.read(path).text
    admin.post(path, {})
    assert api.get("/users/current", user).json["sysadmin_flag"] is False
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.users SET sysadmin = false WHERE id <> 1")
    answer = admin.post("/admin/users/1/administrator", {})
    assert answer.status_code == 403
    assert "The last system administrator cannot be removed" in Reading(answer.text).text


def test_a_user_is_disabled_after_being_told_what_ends_and_enabled_again(api: Api, admin: Browser) -> None:
    user = api.user()
    number, browser = api.user_id(user), Browser(api).sign_in(user)
    token_of(api, user)
    path = f"/admin/users/{number}"
    assert f"{path}/disable" in admin.read(f"/admin/users?q={user.name}").links()
    asked = admin.read(f"{path}/disable").text
    assert "Refresh tokens of docker clients that stop working, for good: 1." in asked
    assert "Disable user" in asked
    assert browser.get("/profile").status_code == 200
    for _ in range(2):
        answer = admin.post(f"{path}/disable", {})
        assert f"User {user.name} is disabled." in Reading(answer.text).text
    assert browser.get("/profile").headers["location"].startswith("/sign-in")
    listed = admin.read(f"/admin/users?q={user.name}&disabled=yes")
    assert f"{user.name} Disabled" in listed.text
    assert f"{path}/enable" in listed.links()
    assert f"{path}/disable" not in listed.links()
    assert "Its sessions and refresh tokens stay void" in admin.read(f"{path}/enable").text
    assert f"User {user.name} is enabled." in Reading(admin.post(f"{path}/enable", {}).text).text
    assert api.get("/users/current", user).status_code == 200
    assert browser.get("/profile").status_code == 303
    assert user.name not in admin.read("/admin/users?disabled=yes").text
    assert admin.get("/admin/users/999999/disable").status_code == 404


def test_nobody_is_offered_to_disable_himself(api: Api, admin: Browser) -> None:
    assert "/admin/users/1/disable" not in admin.read("/admin/users").links()
    answer = admin.post("/admin/users/1/disable", {})
    assert answer.status_code == 403
    assert "You cannot disable your own account." in Reading(answer.text).text
    assert api.get("/users/current").status_code == 200


def test_a_password_is_reset_and_a_profile_changed_by_an_administrator(api: Api, admin: Browser) -> None:
    user = api.user()
    number = api.user_id(user)
    admin.post(f"/admin/users/{number}/password", {"new_password": NEW_PASSWORD, "again": NEW_PASSWORD})
    renewed = Caller(name=user.name, password=NEW_PASSWORD)
    assert api.get("/users/current", user).status_code == 401
    assert admin.read(f"/admin/users/{number}/edit").values()["realname"] == user.name
    admin.post(f"/admin/users/{number}/edit", {"realname": "Renamed", "email": f"{user.name}@example.test"})
    assert api.get("/users/current", renewed).json["realname"] == "Renamed"
    refused = admin.post(f"/admin/users/{number}/password", {"new_password": "short", "again": "short"})
    assert refused.status_code == 400


def test_a_user_is_deleted_after_being_told_what_goes_and_what_stays(api: Api, admin: Browser) -> None:
    user = api.user()
    project, number = api.project(caller=user), api.user_id(user)
    token_of(api, user)
    asked = admin.read(f"/admin/users/{number}/delete").text
    assert "Refresh tokens of docker clients that stop working: 1." in asked
    assert "Projects that it made, which stay with their members: 1." in asked
    assert api.get("/users/current", user).status_code == 200
    answer = admin.post(f"/admin/users/{number}/delete", {})
    assert f"User {user.name} is deleted." in Reading(answer.text).text
    assert api.get(f"/users/{number}").status_code == 404
    assert api.get(f"/projects/{project}").status_code == 200
    assert admin.get(f"/admin/users/{number}/delete").status_code == 404


def test_nobody_deletes_himself_or_the_first_account(api: Api, admin: Browser) -> None:
    other = api.user(admin=True)
    links = admin.read("/admin/users").links()
    assert "/admin/users/1/delete" not in links
    assert admin.post("/admin/users/1/delete", {}).status_code == 403
    second = Browser(api).sign_in(other)
    assert second.post(f"/admin/users/{api.user_id(other)}/delete", {}).status_code == 403
    assert api.get("/users/current", other).status_code == 200
