"""What the edge makes of odd, huge and hostile requests."""

import time
from base64 import b64encode
from urllib.parse import quote

import pytest

from gateway.core.unbuilt import UNBUILT
from tests.integration.core.people import ADMIN, BASE, NOBODY, Api, Caller, code, sentence


def test_wrong_credentials_are_nobody_where_strangers_are_let_in(api: Api) -> None:
    wrong = Caller(name="admin", password="Wrong1horse")
    assert api.get("/projects", wrong).status_code == 200
    assert [each["name"] for each in api.get("/projects", wrong).json] == ["library"]
    answer = api.get("/users/current", wrong)
    assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")
    assert "www-authenticate" not in answer.headers
    assert api.get("/users/current", Caller(name="nobody-known")).text == answer.text


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ====", "Bearer x", "Basic " + b64encode(b"admin").decode(),
               "Basic " + b64encode(b"system:metadata:x").decode(), "Basic " + b64encode(b"admin:").decode(),
               "Basic " + b64encode(b"admin:" + b"x" * 5000).decode()],
)  # fmt: skip
def test_malformed_credentials_are_nobody(api: Api, header: str) -> None:
    assert api.get("/users/current", NOBODY, headers={"Authorization": header}).status_code == 401


def test_every_answer_has_its_number_and_headers_for_browsers(api: Api) -> None:
    for answer in (api.get("/ping"), api.get("/none"), api.get("/projects/none"), api.get("/users", NOBODY)):
        assert len(answer.headers["x-request-id"]) == 32
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
    assert api.get("/ping", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    assert api.get("/ping", headers={"X-Request-Id": "a" * 65}).headers["x-request-id"] != "a" * 65


def test_to_stay_with_tls_is_for_the_proxy_to_say(api: Api) -> None:
    forwarded = api.get("/ping", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" not in forwarded.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/none", 404, "NOT_FOUND"),
        ("GET", "/", 404, "NOT_FOUND"),
        ("DELETE", "/projects", 405, "METHOD_NOT_ALLOWED"),
        ("PATCH", "/users/1", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/users/1'", 422, "UNPROCESSABLE_ENTITY"),
        ("GET", "/projects/%00", 400, "BAD_REQUEST"),
        ("GET", "/projects/%ff", 400, "BAD_REQUEST"),
        ("GET", "/projects/a%0ab", 400, "BAD_REQUEST"),
        ("GET", "/projects/..%2f..%2fusers", 404, "NOT_FOUND"),
    ],
)
def test_a_request_that_leads_nowhere_is_told_in_the_apis_shape(
    api: Api, method: str, path: str, status: int, told: str
) -> None:
    answer = api.send(method, path)
    assert (answer.status_code, code(answer)) == (status, told)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.text.endswith("\n")


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"project_name": NaN}', "application/json", 400),
        (b'{"project_name": "\xff"}', "application/json", 400),
        (b'{"project_name": "a\\u0000"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"project_name": 5}', "application/json", 400),
        (b'{"project_name": "a"}', "text/plain", 415),
        (b"project_name=a", "application/x-www-form-urlencoded", 415),
        (b'{"project_name": "' + b"a" * (1024 * 1024) + b'"}', "application/json", 413),
        (b"", "application/json", 400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_cannot_be_read_is_refused_and_changes_nothing(
    api: Api, body: bytes, media_type: str, status: int
) -> None:
    before = api.get("/projects").headers["x-total-count"]
    answer = api.send("POST", "/projects", ADMIN, body, headers={"Content-Type": media_type})
    assert answer.status_code == status
    assert api.get("/projects").headers["x-total-count"] == before


LISTS = ["/projects", "/users", "/robots", "/repositories", "/audit-logs", "/projects/library/members",
         "/projects/library/repositories", "/projects/library/artifacts", "/projects/library/logs"]  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "sort=name;select%20pg_sleep(5)", "sort=password", "sort=(select%20pg_sleep(5))", "q=password=~a",
        "q=secret_hash=~a", "q=name;drop%20table%20x=1", "q=name", "q=name=", "q=%3D1", "page=0", "page=x", "page=-1",
        "page_size=101", "page_size=1e3", "q=name%3D%2500", "q=a%00",
    ],
)  # fmt: skip
def test_a_hostile_query_is_refused_at_once(api: Api, path: str, query: str) -> None:
    started = time.monotonic()
    answer = api.get(f"{path}?{query}")
    assert answer.status_code in {400, 422}, answer.text
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    ["q=name=' or 1=1", "q=name=~'%25;--", "q=name=~\\", "q=name={' a' or}", "q=unknown='; drop table core.users",
     "sort=unknown", "page=1000000", "page_size=0", "q=name=x, id=1"],
)  # fmt: skip
def test_a_query_that_looks_hostile_is_only_text(api: Api, path: str, query: str) -> None:
    answer = api.get(f"{path}?{query.replace(' ', '%20').replace(';', '%3B')}")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/users/search?username=", "/search?q=", "/projects?name=", "/projects?owner="])
@pytest.mark.parametrize("text", ["'", "' or 1=1 --", "%25", "\\", "😀", "a" * 5000])
def test_text_in_a_parameter_is_only_text(api: Api, path: str, text: str) -> None:
    assert api.get(path + quote(text, safe="%")).status_code == 200


def test_what_fails_at_the_commit_was_never_promised(api: Api) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            """
            CREATE FUNCTION core.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no commit'; END $$;
            CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON core.projects DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION core.fail()
            """
        )
        try:
            answer = api.send("POST", "/projects", ADMIN, {"project_name": "uncommitted"})
        finally:
            connection.execute("DROP TRIGGER fail ON core.projects; DROP FUNCTION core.fail")
    assert (answer.status_code, code(answer), sentence(answer)) == (500, "UNKNOWN", "internal server error")
    assert "location" not in answer.headers
    assert api.get("/projects/uncommitted").status_code == 404
    assert not [event for event in api.events("project.created") if event["subject"] == "uncommitted"]


def test_health_names_every_part_and_is_always_answered(api: Api) -> None:
    health = api.get("/health", NOBODY).json
    names = [each["name"] for each in health["components"]]
    assert names == [
        "audit", "broker", "core", "database", "events", "intake", "metadata", "proxy", "registry", "relay",
        "replication", "token", "webhook",
    ]  # fmt: skip
    assert health["status"] == "unhealthy"
    states = {each["name"]: each["status"] for each in health["components"]}
    assert (states["core"], states["database"], states["registry"]) == ("healthy", "healthy", "unhealthy")


def test_strangers_learn_of_the_system_what_a_login_page_needs(api: Api) -> None:
    strangers, known = api.get("/systeminfo", NOBODY).json, api.get("/systeminfo", api.user()).json
    assert set(strangers) == {
        "auth_mode", "primary_auth_mode", "self_registration", "banner_message", "oidc_provider_name",
    }  # fmt: skip
    assert known["harbor_version"].startswith("v2.16.0-")
    assert known["registry_url"] == known["external_url"].partition("://")[2]
    assert known["has_ca_root"] is False
    volumes = api.get("/systeminfo/volumes").json["storage"][0]
    assert 0 < volumes["free"] <= volumes["total"]


def test_the_version_of_the_api_is_told_beside_it(api: Api) -> None:
    assert api.client.simulate_get("/api/version").json == {"version": "v2.0"}
    assert api.client.simulate_get(f"{BASE}/ping").text == "Pong"
    for watching in ("/healthz", "/livez", "/readyz"):
        assert api.client.simulate_get(watching).text == "ok\n"


def test_unbuilt_paths_take_the_same_names_as_their_neighbours(api: Api) -> None:
    assert "/projects/{project}/scanner" in UNBUILT
    for path in ("/projects/library/scanner/", "/projects/library/scanner"):
        assert api.get(path).status_code == 501
