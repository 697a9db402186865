"""Sessions: signing in with a form, what the cookie is good for, and everything that ends it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from shared.auth.guard import PER_ACCOUNT
from shared.auth.sessions import LONGEST, MOST_OF_USER
from tests.integration.core.people import ADMIN, PASSWORD, Api, Caller, code, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcon.testing import Result

FORM = "application/x-www-form-urlencoded"
CSRF = "X-Harbor-CSRF-Token"
HERE = "registry.test"


@dataclass
class Browser:
    """Keeps a cookie, and the token that came with the last answer."""

    api: Api
    cookie: str | None = None
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def sign_in(self, caller: Caller, **headers: str) -> Result:
        answer = self.send(
            "POST", "/c/login", urlencode({"principal": caller.name, "password": caller.password}),
            {"Content-Type": FORM, **headers},
        )  # fmt: skip
        if answer.status_code == 200:
            self.cookie = SimpleCookie(answer.headers["set-cookie"])["sid"].value
            self.get("/users/current")
        return answer

    def get(self, path: str, **headers: str) -> Result:
        return self.send("GET", f"/api/v2.0{path}", None, headers)

    def change(self, method: str, path: str, body: object, **headers: str) -> Result:
        """As a page of ours does it."""
        token = {CSRF: self.token} if self.token else {}
        return self.send(method, f"/api/v2.0{path}", json.dumps(body), {
            "Content-Type": "application/json", **token, **headers,
        })  # fmt: skip

    def send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Result:
        cookie = {"Cookie": f"sid={self.cookie}"} if self.cookie else {}
        answer = self.api.client.simulate_request(
            method, path, body=body, headers={"Host": HERE, **cookie, **self.headers, **headers}
        )
        self.token = answer.headers.get(CSRF, self.token)
        return answer


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api)


def stored(api: Api) -> int:
    return len(hashes(api))


def hashes(api: Api) -> list[bytes]:
    with api.database.superuser() as connection:
        return [row[0] for row in connection.execute("SELECT token_hash FROM gateway.sessions")]


def age(api: Api, *, seen_at: timedelta = timedelta(0), expires_at: timedelta = timedelta(0)) -> None:
    """Move times of every session into the past."""
    with api.database.superuser() as connection:
        connection.execute(
            "UPDATE gateway.sessions SET seen_at = seen_at - %s, expires_at = expires_at - %s", (seen_at, expires_at)
        )


@pytest.fixture(autouse=True)
def _no_sessions(api: Api) -> Iterator[None]:
    yield
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM gateway.sessions")
        connection.execute("DELETE FROM core.configuration WHERE key = 'session_timeout'")


def test_a_form_signs_in_and_the_cookie_is_the_caller(api: Api, browser: Browser) -> None:
    person = api.user()
    answer = browser.sign_in(person)
    assert (answer.status_code, answer.text) == (200, "")
    cookie = SimpleCookie(answer.headers["set-cookie"])["sid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert not cookie["secure"]
    assert not cookie["max-age"]
    assert browser.get("/users/current").json["username"] == person.name
    event = api.events("user.logged_in")[-1]
    assert (event["actor"], event["data"]["method"]) == (person.name, "database")
    assert hashes(api) == [sha256((browser.cookie or "").encode()).digest()]


def test_behind_tls_the_cookie_is_sent_over_tls_alone(api: Api, browser: Browser) -> None:
    answer = browser.sign_in(api.user(), **{"X-Forwarded-Proto": "https"})
    assert SimpleCookie(answer.headers["set-cookie"])["sid"]["secure"] is True


@pytest.mark.parametrize(
    ("name", "password"), [("nobody-at-all", PASSWORD), ("admin", "wrong"), ("admin", ""), ("", ""), ("robot$x", "y")]
)
def test_a_wrong_credential_begins_no_session(api: Api, browser: Browser, name: str, password: str) -> None:
    answer = browser.sign_in(Caller(name=name, password=password))
    assert (answer.status_code, code(answer), sentence(answer)) == (
        401, "UNAUTHORIZED", "incorrect username or password"
    )  # fmt: skip
    assert "set-cookie" not in answer.headers
    assert stored(api) == 0


def test_a_robot_account_has_no_session(api: Api, browser: Browser) -> None:
    robot = api.robot(api.project(), ("repository", "pull"))
    assert browser.sign_in(robot).status_code == 401
    assert stored(api) == 0


def test_while_too_many_are_wrong_the_right_password_is_told_to_wait_and_not_taken_for_nobody_s(api: Api) -> None:
    person = api.user()
    wrong = [
        api.get("/projects", Caller(name=person.name, password=f"Guess{number}")) for number in range(PER_ACCOUNT)
    ]
    assert {answer.status_code for answer in wrong} == {200}, "who is wrong sees what is public"
    for path in ("/projects", "/users/current"):
        answer = api.get(path, person)
        assert (answer.status_code, code(answer)) == (429, "TOO_MANY_REQUEST"), path
        assert int(answer.headers["retry-after"]) > 0


def test_a_guesser_is_told_to_wait(api: Api, browser: Browser) -> None:
    person = api.user()
    answers = [browser.sign_in(Caller(name=person.name, password=f"Guess{n}")) for n in range(PER_ACCOUNT + 2)]
    assert answers[0].status_code == 401
    assert (answers[-1].status_code, code(answers[-1])) == (429, "TOO_MANY_REQUEST")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"principal": "admin", "password": "x"}'),
        ("text/plain", "principal=admin&password=x"),
        (FORM, "principal=admin&principal=bert&password=x"),
        (FORM, "principal=admin&password=" + "x" * 20_000),
        (FORM, "principal=\u00e4"),
    ],
    ids=["JSON", "plain text", "a field twice", "too long", "not encoded"],
)
def test_what_is_no_form_of_ours_is_a_bad_request(api: Api, browser: Browser, content_type: str, body: str) -> None:
    answer = browser.send("POST", "/c/login", body, {"Content-Type": content_type})
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
    assert stored(api) == 0


def test_a_change_needs_the_token_and_reading_does_not(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    body = {"project_name": "by-session"}
    token, browser.token = browser.token, None
    answer = browser.change("POST", "/projects", body)
    browser.token = None
    assert (answer.status_code, code(answer), sentence(answer)) == (403, "FORBIDDEN", "CSRF token not found")
    answer = browser.change("POST", "/projects", body, **{CSRF: "x" * len(token or "")})
    assert (answer.status_code, sentence(answer)) == (403, "CSRF token invalid")
    browser.token = None
    assert browser.change("POST", "/projects", body, **{"Content-Type": "text/plain"}).status_code == 403
    assert api.send("HEAD", "/projects?project_name=by-session").status_code == 404
    browser.token = token
    assert browser.change("POST", "/projects", body).status_code == 201
    assert api.events("project.created")[-1]["actor"] == "admin"


def test_another_session_s_token_is_not_good(api: Api, browser: Browser) -> None:
    other = Browser(api)
    other.sign_in(ADMIN)
    browser.sign_in(ADMIN)
    answer = browser.change("POST", "/projects", {"project_name": "borrowed"}, **{CSRF: other.token or ""})
    assert (answer.status_code, sentence(answer)) == (403, "CSRF token invalid")


@pytest.mark.parametrize("origin", ["https://evil.test", "http://registry.test.evil.test", "null", "", "x", "http://[x"])
def test_a_page_of_another_site_changes_nothing_and_signs_nobody_in(api: Api, browser: Browser, origin: str) -> None:
    assert browser.sign_in(ADMIN, Origin=origin).status_code == 403
    assert stored(api) == 0
    browser.sign_in(ADMIN, Origin=f"http://{HERE}")
    answer = browser.change("POST", "/projects", {"project_name": "from-afar"}, Origin=origin)
    assert (answer.status_code, code(answer)) == (403, "FORBIDDEN")
    assert browser.change("PUT", "/configurations", {"session_timeout": 60}, Origin=f"http://{HERE}").status_code == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
def test_a_browser_s_word_on_where_a_request_comes_from_counts(
    api: Api, browser: Browser, site: str, status: int
) -> None:
    assert browser.sign_in(ADMIN, **{"Sec-Fetch-Site": site}).status_code == status
    assert stored(api) == (status == 200)
    browser.sign_in(ADMIN)
    answer = browser.change("PUT", "/configurations", {"session_timeout": 60}, **{"Sec-Fetch-Site": site})
    assert answer.status_code == status
    assert browser.get("/users/current", **{"Sec-Fetch-Site": site}).status_code == 200


def test_a_password_goes_before_a_session_and_needs_no_token(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    person = api.user()
    assert browser.get("/users/current", **person.headers).json["username"] == person.name
    browser.token = None
    assert browser.change("POST", "/projects", {"project_name": "by-basic"}, **ADMIN.headers).status_code == 201
    wrong = Caller(name="admin", password="wrong").headers
    assert browser.get("/users/current", **wrong).status_code == 401


def test_a_session_that_was_there_before_is_not_the_one_after(api: Api, browser: Browser) -> None:
    browser.sign_in(api.user())
    before = browser.cookie
    browser.sign_in(ADMIN)
    assert browser.cookie != before
    browser.cookie = before
    assert browser.get("/users/current").status_code == 401
    assert stored(api) == 1


def test_a_cookie_from_outside_does_not_become_a_session(api: Api, browser: Browser) -> None:
    browser.cookie = "chosen-by-somebody-else"
    browser.sign_in(ADMIN)
    assert browser.cookie != "chosen-by-somebody-else"
    assert stored(api) == 1


def test_log_out_ends_it(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    answer = browser.send("GET", "/c/log_out", None, {})
    assert answer.status_code == 200
    assert SimpleCookie(answer.headers["set-cookie"])["sid"].value == ""
    assert browser.get("/users/current").status_code == 401
    assert stored(api) == 0
    browser.cookie = None
    assert "set-cookie" not in browser.send("GET", "/c/log_out", None, {}).headers


def _change_password(api: Api, person: Caller, number: int) -> None:
    body = {"old_password": PASSWORD, "new_password": "Another1horse"}
    assert api.send("PUT", f"/users/{number}/password", person, body).status_code == 200


def _reset_password(api: Api, _person: Caller, number: int) -> None:
    assert api.send("PUT", f"/users/{number}/password", ADMIN, {"new_password": "Another1horse"}).status_code == 200


def _delete(api: Api, _person: Caller, number: int) -> None:
    assert api.send("DELETE", f"/users/{number}").status_code == 200


def _disable(api: Api, _person: Caller, number: int) -> None:
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.users SET disabled = true WHERE id = %s", (number,))


@pytest.mark.parametrize("ending", [_change_password, _reset_password, _delete, _disable])
def test_a_change_of_the_account_ends_all_its_sessions(api: Api, browser: Browser, ending: Any) -> None:  # noqa: ANN401 - one of the above
    person, other = api.user(), Browser(api)
    browser.sign_in(person)
    other.sign_in(person)
    ending(api, person, api.user_id(person))
    assert [each.get("/users/current").status_code for each in (browser, other)] == [401, 401]


def test_who_is_an_administrator_no_longer_has_to_sign_in_again(api: Api, browser: Browser) -> None:
    boss = api.user(admin=True)
    browser.sign_in(boss)
    assert browser.get("/users").status_code == 200
    assert api.send("PUT", f"/users/{api.user_id(boss)}/sysadmin", ADMIN, {"sysadmin_flag": False}).status_code == 200
    assert browser.get("/users").status_code == 401


def test_a_member_that_is_removed_sees_the_project_no_more(api: Api, browser: Browser) -> None:
    project = api.project()
    member = api.member(project, "developer")
    browser.sign_in(member)
    assert browser.get(f"/projects/{project}").status_code == 200
    (entry,) = api.get(f"/projects/{project}/members?entityname={member.name}").json
    assert api.send("DELETE", f"/projects/{project}/members/{entry['id']}").status_code == 200
    assert browser.get(f"/projects/{project}").status_code == 403


def test_who_does_nothing_for_long_is_signed_out(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    age(api, seen_at=timedelta(minutes=59))
    assert browser.get("/users/current").status_code == 200
    age(api, seen_at=timedelta(minutes=59))
    assert browser.get("/users/current").status_code == 200
    age(api, seen_at=timedelta(minutes=61))
    assert browser.get("/users/current").status_code == 401


def test_how_long_that_is_can_be_changed_at_any_time(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    age(api, seen_at=timedelta(minutes=6))
    assert api.send("PUT", "/configurations", ADMIN, {"session_timeout": 5}).status_code == 200
    assert browser.get("/users/current").status_code == 401
    assert api.send("PUT", "/configurations", ADMIN, {"session_timeout": 0}).status_code == 400


def test_a_request_that_asks_for_no_renewal_does_not_renew(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    for _ in range(2):
        age(api, seen_at=timedelta(minutes=31))
        last = browser.get("/users/current", **{"X-Harbor-No-Session-Renewal": "true"}).status_code
    assert last == 401


def test_however_busy_a_session_is_it_ends(api: Api, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    age(api, expires_at=LONGEST - timedelta(minutes=1))
    assert browser.get("/users/current").status_code == 200
    age(api, expires_at=timedelta(minutes=2))
    assert browser.get("/users/current").status_code == 401
    browser.cookie = None
    browser.sign_in(ADMIN)
    assert stored(api) == 1  # those that are over are swept away at a login


def test_those_longest_unused_give_way_where_somebody_has_very_many(api: Api) -> None:
    person = api.user()
    browsers = [Browser(api) for _ in range(MOST_OF_USER + 1)]
    for each in browsers:
        each.sign_in(person)
    assert stored(api) == MOST_OF_USER
    assert browsers[0].get("/users/current").status_code == 401
    assert browsers[-1].get("/users/current").status_code == 200


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5_000, "\u00e9", "a; sid=b"])
def test_a_cookie_that_is_no_session_s_is_nobody(browser: Browser, cookie: str) -> None:
    browser.cookie = cookie
    assert browser.get("/users/current").status_code == 401
    assert browser.get("/ping").status_code == 200


def test_who_signs_in_by_a_password_gets_no_cookie(api: Api) -> None:
    assert not {"set-cookie", CSRF.lower()} & set(api.get("/users/current").headers)
