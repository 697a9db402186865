"""The endpoint itself: challenges, forms, refusals and their shape."""

from typing import Any

import psycopg
import pytest

from services.token.domain import MOST_SCOPES
from shared.auth.roles import Role
from shared.settings import TOKEN_SERVICE
from tests import factories
from tests.integration.token.mount import SYSTEM_CREDENTIAL, Answer, Mount, basic
from tests.servers import wait_for

Rows = psycopg.Connection[Any]
PULL = "repository:library/app:pull"
CHALLENGE = 'Basic realm="Breakwater"'


@pytest.fixture(scope="module", autouse=True)
def anna(rows: Rows) -> int:
    return factories.user(rows, "anna")


@pytest.mark.parametrize("path", ["/auth/token", "/service/token"])
def test_both_paths_hand_out_tokens(mount: Mount, path: str) -> None:
    assert mount.get("anna", PULL, path=path).granted == [("library/app", {"pull"})]


def test_docker_login_with_the_right_password_gets_a_token_of_nothing(mount: Mount) -> None:
    answer = mount.get("anna", account="anna", client_id="docker", offline_token="true")
    assert answer.granted == []


@pytest.mark.parametrize("scopes", [(), (PULL,)], ids=["login", "with a scope"])
def test_wrong_credentials_are_401_whatever_is_asked(mount: Mount, scopes: tuple[str, ...]) -> None:
    answer = mount.get("anna", *scopes, password="wrong")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == CHALLENGE


def test_nobody_without_a_scope_is_asked_for_a_login(mount: Mount) -> None:
    answer = mount.get()
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == CHALLENGE


def test_anybody_may_have_a_token_for_what_is_public(mount: Mount) -> None:
    answer = mount.get(None, PULL)
    assert answer.claims["sub"] == ""
    assert answer.granted == [("library/app", {"pull"})]


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "wrong"), ("no-such-name", "wrong"), ("anna", ""), ("", "x"), ("robot$none", "x"), ("anna", "x" * 2000)],
    ids=["wrong", "unknown", "empty", "nameless", "robot", "endless"],
)
def test_a_refusal_does_not_tell_what_was_wrong(mount: Mount, name: str, password: str) -> None:
    answer = mount.get(name, PULL, password=password, address="192.0.2.77")
    assert answer.status == 401
    assert answer.json == {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}


@pytest.mark.parametrize("name", ["system:metadata", "system:"])
def test_no_account_logs_in_as_a_part_of_the_system(mount: Mount, rows: Rows, name: str) -> None:
    factories.user(rows, name)
    assert mount.get(name, PULL, address="192.0.2.78").status == 401


def test_a_header_that_cannot_be_read_is_a_wrong_credential(mount: Mount) -> None:
    for header in ("Bearer abc", "Basic ***", "Basic"):
        answer = mount.send("GET", f"/auth/token?service={TOKEN_SERVICE}&scope={PULL}", Authorization=header)
        assert answer.status == 401


def test_names_are_the_same_in_any_case_and_the_token_says_the_accounts_own(mount: Mount) -> None:
    assert mount.get("ANNA", PULL).claims["sub"] == "anna"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "service=another",
        f"service={TOKEN_SERVICE}&service={TOKEN_SERVICE}",
        f"service={TOKEN_SERVICE}&scope=repository",
        f"service={TOKEN_SERVICE}&" + "&".join(["scope=repository:a/b:pull"] * 101),
    ],
    ids=["no service", "another service", "service twice", "no scope", "many scopes"],
)
def test_what_cannot_be_understood_is_400_in_the_registrys_shape(mount: Mount, query: str) -> None:
    answer = mount.send("GET", f"/auth/token?{query}", Authorization=basic("anna"))
    assert (answer.status, answer.code) == (400, "UNSUPPORTED")
    assert answer.headers["content-type"] == "application/json"


def test_a_hundred_scopes_are_answered_one_by_one(mount: Mount, rows: Rows) -> None:
    names = [f"hundred-{number}" for number in range(MOST_SCOPES)]
    for name in names[::2]:
        factories.project(rows, name, public=True)
    answer = mount.get("anna", *(f"repository:{name}/a:pull" for name in names))
    assert [actions for _, actions in answer.granted] == [{"pull"}, set()] * (MOST_SCOPES // 2)


def test_a_body_beyond_any_clients_is_refused_unread(mount: Mount) -> None:
    answer = mount.post(grant_type="password", username="anna", password="x", scope="a" * 100_000)
    assert answer.status == 400
    chunks = mount.pool.urlopen("POST", "/auth/token", body=(b"x" * 10_000 for _ in range(20)), chunked=True)
    assert chunks.status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(mount: Mount, method: str) -> None:
    answer = mount.send(method, "/auth/token")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["allow"]


def test_other_paths_are_404_in_the_registrys_shape(mount: Mount) -> None:
    answer = mount.send("GET", "/auth/other")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


# POST: distribution's OAuth2 form


def test_a_password_in_a_form_gets_a_token_with_the_scope_it_grants(mount: Mount) -> None:
    answer = mount.post(
        grant_type="password", username="anna", password=factories.PASSWORD, scope=f"{PULL},push registry:catalog:*"
    )
    assert answer.granted == [("library/app", {"pull"}), ("catalog", set())]
    assert answer.json["scope"] == "repository:library/app:pull registry:catalog:"
    assert "refresh_token" not in answer.json


def test_a_wrong_password_in_a_form_is_401(mount: Mount) -> None:
    assert mount.post(grant_type="password", username="anna", password="wrong", scope=PULL).status == 401


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "client_credentials"},
        {"grant_type": "password", "username": "anna", "password": "x", "client_id": ""},
        {"grant_type": "password", "username": "anna", "password": "x", "service": "another"},
        {},
    ],
    ids=["another grant", "no client", "another service", "no grant"],
)
def test_a_form_that_lacks_something_is_400(mount: Mount, form: dict[str, str]) -> None:
    assert mount.post(**form).status == 400


def test_a_body_that_is_no_form_is_400(mount: Mount) -> None:
    assert mount.send("POST", "/auth/token", b"{}", Content_Type="application/json").status == 400


# refresh tokens


def _refresh_token(answer: Answer) -> str:
    token = answer.json["refresh_token"]
    assert isinstance(token, str)
    return token


def _redeem(mount: Mount, token: str, **form: str) -> Answer:
    return mount.post(grant_type="refresh_token", refresh_token=token, **form)


def test_a_login_that_asks_for_it_gets_a_refresh_token_that_works(mount: Mount, rows: Rows) -> None:
    user_id = factories.user(rows, "refresher")
    factories.project(rows, "refreshed", members={user_id: Role.DEVELOPER})
    token = _refresh_token(mount.get("refresher", offline_token="true", client_id="docker"))
    scope = "repository:refreshed/app:pull,push"
    for _ in range(2):
        answer = _redeem(mount, token, scope=scope)
        assert answer.claims["sub"] == "refresher"
        assert answer.granted == [("refreshed/app", {"pull", "push"})]
        assert answer.json["scope"] == scope
    assert mount.actions("refresher", scope) == {"pull", "push"}


def test_a_form_that_asks_for_it_gets_a_refresh_token(mount: Mount) -> None:
    form = {"username": "anna", "password": factories.PASSWORD, "access_type": "offline"}
    token = _refresh_token(mount.post(grant_type="password", **form))
    assert _redeem(mount, token, scope=PULL).status == 200


def test_refresh_tokens_are_stored_as_hashes_alone(mount: Mount, rows: Rows) -> None:
    token = _refresh_token(mount.get("anna", offline_token="true"))
    stored = rows.execute("SELECT t::text FROM token.refresh_tokens t").fetchall()
    assert stored
    assert not any(token in row[0] or token.removeprefix("bwrt_") in row[0] for row in stored)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core.users SET disabled = true WHERE username = %s",
        "UPDATE core.users SET deleted_at = now() WHERE username = %s",
        "UPDATE core.users SET credential_version = credential_version + 1 WHERE username = %s",
        "UPDATE token.refresh_tokens SET revoked_at = now() FROM core.users u WHERE u.id = user_id AND u.username = %s",
        "UPDATE token.refresh_tokens SET expires_at = 'epoch' FROM core.users u WHERE u.id = user_id AND username = %s",
    ],
    ids=["disabled", "deleted", "another password", "revoked", "unused for long"],
)
def test_a_refresh_token_ends_with_what_it_stands_for(mount: Mount, rows: Rows, change: str) -> None:
    name = f"ended{abs(hash(change))}"
    factories.user(rows, name)
    token = _refresh_token(mount.get(name, offline_token="true"))
    assert _redeem(mount, token, scope=PULL).status == 200
    rows.execute(change.encode(), (name,))
    answer = _redeem(mount, token, scope=PULL)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize("token", ["", "bwrt_", "bwrt_" + "a" * 43, "x" * 5_000, "ä\0"])
def test_no_other_text_is_a_refresh_token(mount: Mount, token: str) -> None:
    assert _redeem(mount, token, scope=PULL).status == 401


def test_a_use_moves_a_refresh_tokens_end(mount: Mount, rows: Rows) -> None:
    user_id = factories.user(rows, "mover")
    token = _refresh_token(mount.get("mover", offline_token="true"))
    rows.execute("UPDATE token.refresh_tokens SET expires_at = now() + interval '1 h' WHERE user_id = %s", (user_id,))
    assert _redeem(mount, token).status == 200

    def moved() -> bool:
        row = rows.execute(
            "SELECT used_at IS NOT NULL, expires_at > now() + interval '29 days' FROM token.refresh_tokens"
            " WHERE user_id = %s", (user_id,),
        ).fetchone()  # fmt: skip
        return row == (True, True)

    wait_for(moved, seconds=5, what="the use is written down, for which no answer waits")


def test_robots_keep_their_secret_and_get_no_refresh_token(mount: Mount, rows: Rows) -> None:
    factories.robot(rows, "keeper", {"*": [("repository", "pull")]})
    assert "refresh_token" not in mount.get("robot$keeper", offline_token="true").json


# tokens of the system's own services


def _system(mount: Mount, body: bytes, credential: str = SYSTEM_CREDENTIAL) -> Answer:
    return mount.send("POST", "/internal/token", body, Authorization=f"Bearer {credential}")


def test_a_service_of_the_system_gets_what_it_asks_for(mount: Mount) -> None:
    body = b'{"service": "metadata", "scope": ["repository:any/thing:pull,delete", "registry:catalog:*"]}'
    answer = _system(mount, body)
    assert answer.claims["sub"] == "system:metadata"
    assert answer.granted == [("any/thing", {"pull", "delete"}), ("catalog", {"*"})]
    assert answer.json["expires_in"] <= 300


@pytest.mark.parametrize(
    ("service", "credential"),
    [("metadata", "another"), ("metadata", ""), ("replication", SYSTEM_CREDENTIAL), ("", ""), ("metadata\0", "x")],
)
def test_a_wrong_credential_of_a_service_is_401(mount: Mount, service: str, credential: str) -> None:
    body = f'{{"service": {service!r}, "scope": ["repository:a/b:pull"]}}'.replace("'", '"').replace("\\x00", "\\u0000")
    assert _system(mount, body.encode(), credential).status == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"service": "metadata"}',
        b'{"service": "metadata", "scope": []}',
        b'{"service": "metadata", "scope": [7]}',
        b'{"service": "metadata", "scope": "repository:a/b:pull"}',
        b'{"service": "metadata", "scope": ["all"]}',
        b'{"service": ["metadata"], "scope": ["repository:a/b:pull"]}',
        b"[" * 50_000,
    ],
)
def test_a_malformed_request_of_a_service_is_400(mount: Mount, body: bytes) -> None:
    assert _system(mount, body).status == 400


def test_an_administrators_password_is_no_credential_of_the_system(mount: Mount) -> None:
    body = b'{"service": "metadata", "scope": ["repository:any/thing:pull"]}'
    assert mount.send("POST", "/internal/token", body, Authorization=basic("admin")).status == 401
