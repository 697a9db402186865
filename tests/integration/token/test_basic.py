"""A password sent on /v2 itself: exchanged for a token of that one request, or refused as the proxy can pass on."""

import json
from typing import Any

import psycopg
import pytest

from shared.auth.guard import PER_ACCOUNT
from shared.auth.roles import Role
from tests import factories
from tests.integration.token.mount import Answer, Mount, basic

Rows = psycopg.Connection[Any]
DIGEST = f"sha256:{'d' * 64}"
PLACE = "vault/app"
"""A repository of a private project."""


@pytest.fixture(scope="module", autouse=True)
def vault(rows: Rows) -> int:
    project = factories.project(rows, "vault")
    for name, role in (("maya", Role.MAINTAINER), ("dora", Role.DEVELOPER), ("gus", Role.GUEST)):
        factories.member(rows, project, factories.user(rows, name), role)
    factories.user(rows, "stranger")
    return project


def ask(mount: Mount, name: str | None, method: str, path: str, **more: str) -> Answer:
    address = more.pop("address", "192.0.2.60")
    headers = {"X_Original_Method": method, "X_Original_URI": path, "X_Forwarded_For": address}
    if name is not None:
        headers["Authorization"] = basic(name, more.pop("password", factories.PASSWORD))
    return mount.send("GET", "/internal/basic", **headers)


def minted(answer: Answer) -> dict[str, set[str]]:
    """What the token in the answer's header allows."""
    token = answer.headers["x-minted"]
    said = Answer(200, {}, json.dumps({"token": token}))
    return dict(said.granted)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2/", {}),
        ("GET", f"/v2/{PLACE}/manifests/v1", {PLACE: {"pull"}}),
        ("HEAD", f"/v2/{PLACE}/blobs/{DIGEST}", {PLACE: {"pull"}}),
        ("GET", f"/v2/{PLACE}/tags/list?n=1", {PLACE: {"pull"}}),
        ("GET", f"/v2/{PLACE}/referrers/{DIGEST}", {PLACE: {"pull"}}),
        ("POST", f"/v2/{PLACE}/blobs/uploads/", {PLACE: {"pull", "push"}}),
        ("PATCH", f"/v2/{PLACE}/blobs/uploads/x?_state=y", {PLACE: {"pull", "push"}}),
        ("PUT", f"/v2/{PLACE}/manifests/v1", {PLACE: {"pull", "push"}}),
        ("DELETE", f"/v2/{PLACE}/manifests/v1", {PLACE: {"delete"}}),
        ("PUT", "/v2/vault/manifests/b/manifests/c", {"vault/manifests/b": {"pull", "push"}}),
        (
            "POST",
            f"/v2/{PLACE}/blobs/uploads/?mount={DIGEST}&from=library%2Fbase",
            {PLACE: {"pull", "push"}, "library/base": {"pull"}},
        ),
        ("POST", f"/v2/{PLACE}/blobs/uploads/?mount={DIGEST}&from=vault/app", {PLACE: {"pull", "push"}}),
    ],
)
def test_token_allows_what_the_request_needs_and_nothing_more(
    mount: Mount, method: str, path: str, allowed: dict[str, set[str]]
) -> None:
    answer = ask(mount, "maya", method, path)
    assert answer.status == 200
    assert minted(answer) == allowed


@pytest.mark.parametrize(
    ("name", "method", "path", "said"),
    [
        ("stranger", "GET", f"/v2/{PLACE}/manifests/v1", f"{PLACE}, action: pull"),
        ("stranger", "GET", "/v2/no-such-project/app/manifests/v1", "no-such-project/app, action: pull"),
        ("gus", "PUT", f"/v2/{PLACE}/manifests/v1", f"{PLACE}, action: push"),
        ("gus", "POST", f"/v2/{PLACE}/blobs/uploads/", f"{PLACE}, action: push"),
        ("dora", "DELETE", f"/v2/{PLACE}/manifests/v1", f"{PLACE}, action: delete"),
        ("dora", "GET", "/v2/app/manifests/v1", "app, action: pull"),
        ("stranger", "POST", f"/v2/library/x/blobs/uploads/?from={PLACE}&mount=m", "library/x, action: push"),
        ("dora", "POST", f"/v2/{PLACE}/blobs/uploads/?mount=m&from=secret%2Fother", "secret/other, action: pull"),
        ("dora", "POST", f"/v2/{PLACE}/blobs/uploads/?from=secret%2Fy&from=library%2Fx", "secret/y, action: pull"),
        ("dora", "POST", f"/v2/{PLACE}/blobs/uploads/?from=%0d%0aX-Minted:%20%C3%A9", "\r\nX-Minted: é, action: pull"),
    ],
)
def test_who_may_not_do_it_is_told_so_and_gets_no_token(
    mount: Mount, name: str, method: str, path: str, said: str
) -> None:
    answer = ask(mount, name, method, path)
    assert (answer.status, answer.headers["x-refusal"]) == (401, "401")
    assert answer.headers["www-authenticate"] == 'Basic realm="Breakwater"'
    (error,) = json.loads(answer.headers["x-refusal-body"])["errors"]
    assert error == {"code": "UNAUTHORIZED", "message": f"unauthorized to access repository: {said}"}
    assert "x-minted" not in answer.headers


def test_who_may_push_into_a_full_project_is_told_of_the_quota(mount: Mount, rows: Rows, vault: int) -> None:
    rows.execute("UPDATE core.projects SET storage_used = 10, storage_limit = 10 WHERE id = %s", (vault,))
    try:
        for name, status, said in (("dora", "403", "storage quota is used up"), ("gus", "401", "action: push")):
            for path in (f"/v2/{PLACE}/manifests/v1", f"/v2/{PLACE}/blobs/uploads/x"):
                answer = ask(mount, name, "PUT", path)
                (error,) = json.loads(answer.headers["x-refusal-body"])["errors"]
                assert (answer.status, answer.headers["x-refusal"]) == (401, status)
                assert said in error["message"]
                assert error["code"] == {"403": "DENIED", "401": "UNAUTHORIZED"}[status]
                assert "x-minted" not in answer.headers
        assert ask(mount, "dora", "GET", f"/v2/{PLACE}/manifests/v1").status == 200
        assert ask(mount, "maya", "DELETE", f"/v2/{PLACE}/manifests/v1").status == 200
    finally:
        rows.execute("UPDATE core.projects SET storage_used = 0, storage_limit = -1 WHERE id = %s", (vault,))


@pytest.mark.parametrize("authorization", [None, "Basic", "Basic !!", "Basic bm9jb2xvbg==", "Bearer x"])
def test_what_is_no_credential_is_refused(mount: Mount, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = mount.send("GET", "/internal/basic", X_Original_Method="GET", X_Original_URI="/v2/", **headers)
    assert (answer.status, answer.headers["x-refusal"]) == (401, "401")
    assert "x-minted" not in answer.headers


def test_wrong_passwords_are_limited_as_at_the_token_endpoint_and_the_right_one_is_not(mount: Mount) -> None:
    path = f"/v2/{PLACE}/manifests/v1"
    assert "x-minted" in ask(mount, "gus", "GET", path, address="203.0.113.99").headers
    guesses = [
        ask(mount, "gus", "GET", path, password=f"guess{number}", address="203.0.113.99").headers["x-refusal"]
        for number in range(PER_ACCOUNT + 2)
    ]
    assert guesses == ["401"] * PER_ACCOUNT + ["429"] * 2
    refused = ask(mount, "gus", "GET", path, password="guess", address="203.0.113.99")
    assert int(refused.headers["x-refusal-after"]) > 0
    assert json.loads(refused.headers["x-refusal-body"])["errors"][0]["code"] == "TOOMANYREQUESTS"
    assert "x-minted" in ask(mount, "gus", "GET", path, address="203.0.113.99").headers
    assert mount.get("gus", password="guess", address="203.0.113.99").status == 429


def test_robot_account_gets_what_it_was_given(mount: Mount, rows: Rows, vault: int) -> None:
    factories.robot(rows, "vault+ci", {"vault": [("repository", "pull")]}, project_id=vault)
    answer = ask(mount, "robot$vault+ci", "GET", f"/v2/{PLACE}/manifests/v1")
    assert minted(answer) == {PLACE: {"pull"}}
    assert ask(mount, "robot$vault+ci", "PUT", f"/v2/{PLACE}/manifests/v1").headers["x-refusal"] == "401"


def test_a_request_is_no_login(mount: Mount) -> None:
    before = len(mount.events("user.logged_in"))
    assert "x-minted" in ask(mount, "maya", "GET", "/v2/").headers
    assert len(mount.events("user.logged_in")) == before


def test_disabled_account_is_refused_at_its_next_request(mount: Mount, rows: Rows) -> None:
    user = factories.user(rows, "leaver")
    assert "x-minted" in ask(mount, "leaver", "GET", "/v2/library/x/manifests/v1").headers
    rows.execute("UPDATE core.users SET disabled = true WHERE id = %s", (user,))
    assert ask(mount, "leaver", "GET", "/v2/library/x/manifests/v1").headers["x-refusal"] == "401"


def test_database_that_is_away_is_told_as_such(mount: Mount, rows: Rows) -> None:
    name = mount.database.name.encode()
    with mount.database.server.connect() as connection:
        connection.execute(b"ALTER DATABASE " + name + b" ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s", (
            mount.database.name, rows.info.backend_pid,
        ))  # fmt: skip
        try:
            answer = ask(mount, "maya", "GET", "/v2/")
        finally:
            connection.execute(b"ALTER DATABASE " + name + b" ALLOW_CONNECTIONS true")
    assert (answer.status, answer.headers["x-refusal"]) == (401, "503")
    assert "x-minted" not in answer.headers
