"""What only a real server shows: raw paths, many threads, log lines, and a database that goes away and comes back."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from shared.auth.guard import PER_ACCOUNT
from tests import factories
from tests.integration.conftest import Database
from tests.integration.core.gunicorn import Core, ask, core
from tests.integration.core.people import ADMIN, BASE, Caller
from tests.servers import wait_for

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def running(core_database: Database) -> Iterator[Core]:
    with core(core_database) as started:
        yield started


@contextmanager
def _away(database: Database) -> Iterator[None]:
    """The database takes no connections, and those there were are gone."""
    with database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,)
            )
            yield
        finally:
            connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())


def test_the_core_mount_serves_over_its_socket(running: Core) -> None:
    answer, body = ask(running.socket, "GET", f"{BASE}/projects", {"X-Request-Id": "mine"})
    assert answer.status == 200
    assert answer.headers["X-Request-Id"] == "mine"
    assert [project["name"] for project in json.loads(body)] == ["library"]
    for watching in ("/healthz", "/livez", "/readyz"):
        assert ask(running.socket, "GET", watching)[0].status == 200
    assert ask(running.socket, "GET", "/")[0].headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("encoded", ["a%252Fb", "a%2Fb", "a%2fb"])
def test_a_raw_path_tells_a_separator_from_a_slash_in_a_name(running: Core, encoded: str) -> None:
    answer, body = ask(running.socket, "GET", f"{BASE}/projects/library/repositories/{encoded}", ADMIN.headers)
    assert answer.status == 404
    assert "library/a/b" in body.decode()


def test_many_who_sign_in_at_once_are_all_served(running: Core) -> None:
    def read(_number: int) -> int:
        return ask(running.socket, "GET", f"{BASE}/users/current", ADMIN.headers)[0].status

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(read, range(64))) == {200}


def test_an_unknown_method_is_refused(running: Core) -> None:
    answer, body = ask(running.socket, "BREW", f"{BASE}/ping")
    assert answer.status == 400
    assert json.loads(body)["errors"][0]["code"] == "BAD_REQUEST"


def test_a_request_is_one_line_in_the_log_and_no_secret_is_in_it(running: Core) -> None:
    canary = "Canary1secret"
    number = "number-of-this-test"

    def send(method: str, path: str, caller: Caller = ADMIN, body: object = None) -> None:
        headers = caller.headers | {"X-Request-Id": number, "X-Forwarded-For": "192.0.2.7"}
        ask(running.socket, method, BASE + path, headers | JSON, json.dumps(body).encode() if body else None)

    send("GET", "/users/current", Caller(name="canary", password=canary))
    send("POST", "/users", body={"username": "x", "password": canary})
    send("POST", "/users", body={"username": ["x"], "password": [canary]})
    send("PUT", "/configurations", body={"ldap_search_password": canary, "read_only": canary})
    send("PATCH", "/robots/1", body={"secret": canary})
    send("GET", f"/projects?name={canary}")
    text = running.log.read_text()
    assert canary not in text
    lines = [json.loads(line) for line in text.splitlines() if number in line]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["status"] for line in requests] == [401, 400, 400, 400, 404, 200]
    assert {"method", "path", "status", "milliseconds", "actor", "address", "request_id", "part"} <= set(requests[-1])
    assert (requests[-1]["actor"], requests[-1]["address"]) == ("admin", "192.0.2.7")


def test_who_tries_to_sign_in_while_the_database_is_away_has_guessed_nothing(
    running: Core, core_database: Database
) -> None:
    with core_database.superuser() as rows:
        factories.user(rows, "patient")
    headers = Caller(name="patient").headers | {"X-Forwarded-For": "192.0.2.8"}

    def status() -> int:
        return ask(running.socket, "GET", f"{BASE}/users/current", headers)[0].status

    with _away(core_database):
        assert {status() for _ in range(PER_ACCOUNT + 5)} == {503}
    assert status() == 200


def test_a_database_that_goes_away_is_told_and_its_return_needs_no_restart(
    running: Core, core_database: Database
) -> None:
    def status(path: str = f"{BASE}/users/current") -> int:
        return ask(running.socket, "GET", path, ADMIN.headers)[0].status

    assert status() == 200
    with _away(core_database):
        answer, body = ask(running.socket, "GET", f"{BASE}/users/current", ADMIN.headers)
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "1"
        assert json.loads(body)["errors"][0]["code"] == "UNAVAILABLE"
        assert [status("/healthz"), status("/readyz")] == [503, 503]
        for path in ("/livez", f"{BASE}/ping", f"/{BASE}//ping", "/api/version", f"{BASE}/health"):
            assert [status(path), ask(running.socket, "GET", path)[0].status] == [200, 200], path
        health = json.loads(ask(running.socket, "GET", f"{BASE}/health", ADMIN.headers)[1])
        problem = {"name": "database", "status": "unhealthy", "error": "the database does not answer"}
        assert problem in health["components"]
        (relay,) = [each["error"] for each in health["components"] if each["name"] == "relay"]
        assert relay == "nothing is known of it while the database does not answer"
    wait_for(lambda: status() == 200, seconds=10, what="the core mount recovers")
