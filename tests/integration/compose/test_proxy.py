"""What the proxy adds, overwrites, limits and answers by itself."""

from __future__ import annotations

import gzip
import json
import re
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from gateway.core.metrics.probes import Prober
from shared.settings import Settings
from tests.integration.compose.conftest import running_proxy
from tests.integration.compose.echo import Behaviour
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.compose.conftest import Proxy

DIGEST = f"sha256:{'b' * 64}"
REST = 'service="breakwater-registry",scope="repository:a/b:pull"'
REGISTRY_CHALLENGE = f'Bearer realm="https://elsewhere/auth/token",{REST}'


def seen(proxy: Proxy, upstream: str) -> dict[str, Any]:
    """The one request that reached an upstream."""
    (request,) = proxy.upstreams[upstream].requests
    return request


@pytest.mark.parametrize("path", ["/v2/a/b/manifests/2", "/api/v2.0/projects", "/v2/a/b/manifests/1"])
def test_forwarding_headers_of_a_client_are_overwritten(proxy: Proxy, path: str) -> None:
    proxy.get(
        path,
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Host: evil.test",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 1",
        "X-Real-IP: 1.2.3.4",
        "Forwarded: for=1.2.3.4",
        "Proxy: evil",
    )
    (request,) = [request for upstream in proxy.upstreams.values() for request in upstream.requests]
    headers = request["headers"]
    assert headers["host"] == headers["x-forwarded-host"] == "registry.test:8080"
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert not {"forwarded", "proxy", "x-forwarded-port"} & set(headers)


@pytest.mark.parametrize("path", ["/auth/token", "/service/token"])
def test_the_token_mount_gets_the_headers_it_reads_and_no_other(proxy: Proxy, path: str) -> None:
    proxy.get(
        path, "X-Forwarded-For: 1.2.3.4", "X-Request-Id: r1", "User-Agent: docker/28.2 rid/mine", "Cookie: a=b",
        "Authorization: Basic eDp5", "Accept: */*", "traceparent: 00-1-2-00", "X-Real-IP: 1.2.3.4",
    )
    assert seen(proxy, "token")["headers"] == {
        "host": "registry.test:8080", "x-forwarded-for": "127.0.0.1", "x-request-id": "r1",
        "user-agent": "docker/28.2", "authorization": "Basic eDp5", "traceparent": "00-1-2-00",
    }


def test_harmless_request_id_is_kept_passed_on_and_returned(proxy: Proxy) -> None:
    _, headers, _ = proxy.get("/api/v2.0/ping", "X-Request-Id: build-17_a.B")
    assert headers["x-request-id"] == seen(proxy, "core")["headers"]["x-request-id"] == "build-17_a.B"


@pytest.mark.parametrize("request_id", ["", "a b", 'a"b', "x" * 65, "../x", "<script>"])
def test_other_request_ids_are_replaced(proxy: Proxy, request_id: str) -> None:
    _, headers, _ = proxy.get("/api/v2.0/ping", f"X-Request-Id: {request_id}")
    assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
    assert seen(proxy, "core")["headers"]["x-request-id"] == headers["x-request-id"]


def test_upstream_s_own_request_id_does_not_double_ours(proxy: Proxy) -> None:
    proxy.upstreams["core"].behaviour = Behaviour(headers={"X-Request-Id": "other"})
    status, headers, _ = proxy.get("/api/v2.0/ping", "X-Request-Id: mine")
    assert (status, headers["x-request-id"]) == (200, "mine")


def test_registry_learns_the_request_id_from_the_client_s_name(proxy: Proxy) -> None:
    proxy.get("/v2/a/b/manifests/1", "User-Agent: docker/28.2", "X-Request-Id: r1")
    assert seen(proxy, "registry")["headers"]["user-agent"] == "docker/28.2 rid/r1"


def test_gate_gets_the_client_s_name_alone(proxy: Proxy) -> None:
    proxy.get("/v2/a/b/manifests/1", "User-Agent: docker/28.2", "Content-Length: 0", method="PUT")
    assert seen(proxy, "core")["headers"]["user-agent"] == "docker/28.2"


@pytest.mark.parametrize(
    ("agent", "passed_on"),
    [
        ("evil rid/forged gate/4be0643f-1d98-573b-97cd-ca98a65347dd", "evil"),
        ("evil GATE/4be0643f", "evil"),
        ("gate/x", ""),
        ("tool/1.0 (grid/2)", "tool/1.0 (grid/2)"),
    ],
)
def test_client_cannot_forge_the_marks_in_its_name(proxy: Proxy, agent: str, passed_on: str) -> None:
    proxy.get("/v2/a/b/manifests/1", f"User-Agent: {agent}", "X-Request-Id: r1")
    assert seen(proxy, "registry")["headers"]["user-agent"] == f"{passed_on} rid/r1".strip()


@pytest.mark.parametrize("path", ["/", "/api/v2.0/ping", "/v2/", "/v2/a/../b", "/internal/x", "/auth/token"])
def test_security_headers_are_on_every_answer(proxy: Proxy, path: str) -> None:
    _, headers, _ = proxy.get(path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["server"] == "nginx"


def test_content_policy_of_a_page_stays(proxy: Proxy) -> None:
    proxy.upstreams["core"].behaviour = Behaviour(headers={"Content-Security-Policy": "default-src 'self'"})
    _, headers, _ = proxy.get("/")
    assert headers["content-security-policy"] == "default-src 'self'"


def test_realm_follows_the_host_of_the_client(proxy: Proxy) -> None:
    proxy.upstreams["registry"].behaviour = Behaviour(status=401, headers={"WWW-Authenticate": REGISTRY_CHALLENGE})
    _, headers, _ = proxy.get("/v2/a/b/manifests/2")
    assert headers["www-authenticate"] == f'Bearer realm="http://registry.test:8080/auth/token",{REST}'


def test_challenge_that_the_gate_hands_on_follows_too(proxy: Proxy) -> None:
    proxy.upstreams["core"].behaviour = Behaviour(status=401, headers={"WWW-Authenticate": REGISTRY_CHALLENGE})
    _, headers, _ = proxy.get("/v2/a/b/manifests/1", "Content-Length: 0", method="PUT")
    assert headers["www-authenticate"].startswith('Bearer realm="http://registry.test:8080/auth/token"')


def test_other_challenges_pass_unchanged(proxy: Proxy) -> None:
    proxy.upstreams["core"].behaviour = Behaviour(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    _, headers, _ = proxy.get("/api/v2.0/users")
    assert headers["www-authenticate"] == 'Basic realm="x"'


def test_blobs_are_deleted_by_nobody(proxy: Proxy) -> None:
    status, _, body = proxy.get(f"/v2/a/b/blobs/{DIGEST}", method="DELETE")
    assert status == 405
    assert json.loads(body)["errors"][0]["code"] == "UNSUPPORTED"
    assert proxy.upstreams["registry"].requests == []


WRITES = [
    ("POST", "/v2/a/b/blobs/uploads/"),
    ("PATCH", "/v2/a/b/blobs/uploads/x"),
    ("PUT", "/v2/a/b/blobs/uploads/x?digest=y"),
    ("PUT", "/v2/a/b/manifests/1"),
]
READS = [
    ("GET", "/v2/"),
    ("GET", "/v2/a/b/manifests/1"),
    ("HEAD", f"/v2/a/b/blobs/{DIGEST}"),
    ("DELETE", f"/v2/a/b/manifests/{DIGEST}"),
    ("POST", "/auth/token"),
    ("POST", "/api/v2.0/projects"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_full_disk_refuses_pushes_with_a_sentence(proxy: Proxy, method: str, path: str) -> None:
    proxy.readonly_flag.touch()
    status, headers, body = proxy.get(path, "Content-Length: 0", method=method)
    assert status == 403
    assert headers["content-type"] == "application/json"
    assert headers["docker-distribution-api-version"] == "registry/2.0"
    assert headers["retry-after"] == "10"
    (error,) = json.loads(body)["errors"]
    assert error["code"] == "DENIED"
    assert error["message"] == (
        "the registry's disk is nearly full: pushes are refused until space is freed; pulls go on"
    )


@pytest.mark.parametrize("full", [False, True])
def test_a_want_of_rights_asks_nobody_to_come_again(proxy: Proxy, *, full: bool) -> None:
    proxy.upstreams["core"].behaviour = Behaviour(status=403, body=b"no")
    if full:
        proxy.readonly_flag.touch()
    for method, path in (("DELETE", "/v2/a/b/manifests/1"), ("POST", "/api/v2.0/projects")):
        status, headers, _ = proxy.get(path, "Content-Length: 0", method=method)
        assert (status, "retry-after" in headers) == (403, False)


@pytest.mark.parametrize(("method", "path"), READS)
def test_full_disk_lets_everything_else_through(proxy: Proxy, method: str, path: str) -> None:
    proxy.readonly_flag.touch()
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == 200


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_pushes_pass_again_once_the_flag_is_gone(proxy: Proxy, method: str, path: str) -> None:
    proxy.readonly_flag.touch()
    proxy.readonly_flag.unlink()
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == 200


@pytest.mark.parametrize(("method", "path"), [*WRITES, ("DELETE", f"/v2/a/b/manifests/{DIGEST}")])
def test_a_collection_refuses_what_would_change_the_storage_until_it_ends(
    proxy: Proxy, method: str, path: str
) -> None:
    proxy.collecting_flag.touch()
    status, headers, body = proxy.get(path, "Content-Length: 0", method=method)
    assert (status, headers["content-type"], headers["retry-after"]) == (403, "application/json", "5")
    (error,) = json.loads(body)["errors"]
    assert error == {
        "code": "DENIED",
        "message": "garbage is being collected: nothing is pushed or deleted until it ends; try again in a moment",
    }
    assert not any(upstream.requests for upstream in proxy.upstreams.values())
    proxy.collecting_flag.unlink()
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == 200


@pytest.mark.parametrize(("method", "path"), [read for read in READS if read[0] != "DELETE"])
def test_a_collection_lets_everything_else_through(proxy: Proxy, method: str, path: str) -> None:
    proxy.collecting_flag.touch()
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == 200


def test_a_want_of_rights_in_a_collection_asks_nobody_to_come_again(proxy: Proxy) -> None:
    proxy.upstreams["registry"].behaviour = Behaviour(status=403, body=b"no")
    proxy.collecting_flag.touch()
    status, headers, _ = proxy.get("/v2/a/b/manifests/1")
    assert (status, "retry-after" in headers) == (403, False)


@pytest.mark.parametrize(
    ("path", "size", "accepted"),
    [
        ("/api/v2.0/projects", 1024**2, True),
        ("/api/v2.0/projects", 1024**2 + 1, False),
        ("/auth/token", 64 * 1024, True),
        ("/auth/token", 64 * 1024 + 1, False),
        ("/v2/a/b/blobs/uploads/x", 8 * 1024**2, True),
    ],
)
def test_bodies_are_limited_where_they_are_not_blobs(proxy: Proxy, path: str, size: int, *, accepted: bool) -> None:
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n".encode()
    answer = proxy.raw(head + (b"x" * size if accepted else b""))
    assert answer.startswith(b"HTTP/1.1 200 " if accepted else b"HTTP/1.1 413 ")
    if not accepted:
        assert b'{"errors":[{"code":"REQUEST_ENTITY_TOO_LARGE"' in answer


def test_token_request_without_length_reaches_python_with_one(proxy: Proxy) -> None:
    proxy.raw(
        b"POST /auth/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\na=b\r\n0\r\n\r\n"
    )
    headers = seen(proxy, "token")["headers"]
    assert headers["content-length"] == "3"
    assert "transfer-encoding" not in headers


def test_token_of_many_scopes_passes_in_a_header(proxy: Proxy) -> None:
    assert proxy.get("/v2/a/b/manifests/2", f"Authorization: Bearer {'x' * 20_000}")[0] == 200


def test_event_stream_is_passed_on_as_it_comes(proxy: Proxy) -> None:
    behaviour = Behaviour(headers={"Content-Type": "text/event-stream"}, chunks=[b"data: 1\n\n", b"data: 2\n\n"])
    proxy.upstreams["events"].behaviour = behaviour
    with urllib.request.urlopen(f"{proxy.url}/api/v2.0/events/stream", timeout=5) as stream:  # noqa: S310 - our own proxy
        assert stream.readline() == b"data: 1\n"  # while the second one is held back
        behaviour.release.release(2)
        assert stream.read() == b"\ndata: 2\n\n"


@pytest.fixture
def lonely_proxy() -> Iterator[Proxy]:
    """A proxy whose upstreams have gone."""
    with running_proxy() as proxy:
        for upstream in proxy.upstreams.values():
            upstream.close()
        yield proxy


def test_parts_that_are_away_are_told_of_in_the_shape_with_retry_after(lonely_proxy: Proxy) -> None:
    for method, path in (
        ("GET", "/v2/a/b/manifests/2"),
        ("PUT", "/v2/a/b/manifests/1"),
        ("POST", "/v2/a/b/blobs/uploads/"),
        ("GET", "/auth/token"),
        ("GET", "/service/token"),
        ("GET", "/api/v2.0/projects"),
        ("GET", "/api/v2.0/events/stream"),
        ("GET", "/"),
    ):
        status, headers, body = lonely_proxy.get(path, "Content-Length: 0", method=method)
        assert status == 503
        assert headers["retry-after"] == "1"
        assert headers["content-type"] == "application/json"
        assert json.loads(body)["errors"][0]["code"] == "UNAVAILABLE"
        assert ("docker-distribution-api-version" in headers) == path.startswith("/v2")


def test_upstream_s_own_refusal_keeps_its_words_and_its_retry_after(proxy: Proxy) -> None:
    proxy.upstreams["core"].behaviour = Behaviour(status=503, headers={"Retry-After": "7"}, body=b"own words")
    status, headers, body = proxy.get("/api/v2.0/projects")
    assert (status, headers["retry-after"], body) == (503, "7", b"own words")


def test_access_log_is_one_json_line_a_request_whatever_a_client_sends(proxy: Proxy) -> None:
    proxy.get("/api/v2.0/ping", 'User-Agent: a"b\\c', "X-Request-Id: log-1")
    lines = (proxy.folder / "access.log").read_text().splitlines()
    records = [json.loads(line) for line in lines if "log-1" in line]
    assert records[0]["agent"] == 'a"b\\c'
    assert records[0]["status"] == 200
    assert records[0]["request_id"] == "log-1"


def test_public_url_speaks_for_itself_whatever_host_a_client_names() -> None:
    with running_proxy(public_url="https://registry.example") as proxy:
        proxy.upstreams["registry"].behaviour = Behaviour(status=401, headers={"WWW-Authenticate": REGISTRY_CHALLENGE})
        _, headers, _ = proxy.get("/v2/")
        request = seen(proxy, "registry")
    assert headers["www-authenticate"].startswith('Bearer realm="https://registry.example/auth/token"')
    assert request["headers"]["host"] == "registry.example"
    assert request["headers"]["x-forwarded-proto"] == "https"


LONG = json.dumps(["a word"] * 1000).encode()


@pytest.mark.parametrize(
    ("path", "upstream", "content_type", "length", "compressed"),
    [
        ("/", "core", "text/html; charset=utf-8", 2000, True),
        ("/assets/1/own.css", "core", "text/css; charset=utf-8", 2000, True),
        ("/assets/1/own.js", "core", "text/javascript; charset=utf-8", 2000, True),
        ("/assets/1/mark.svg", "core", "image/svg+xml", 2000, True),
        ("/api/v2.0/projects", "core", "application/json", 2000, True),
        ("/api/v2.0/projects", "core", "application/json", 1000, False),
        ("/api/v2.0/jobs/1/log", "core", "text/plain", 2000, False),
        ("/api/v2.0/events/stream", "events", "application/json", 2000, False),
        ("/v2/a/b/manifests/1", "registry", "application/json", 2000, False),
        ("/v2/a/b/tags/list", "core", "application/json", 2000, False),
        ("/auth/token", "token", "application/json", 2000, False),
    ],
)
def test_pages_and_answers_of_the_api_are_compressed_and_nothing_else(
    proxy: Proxy, path: str, upstream: str, content_type: str, length: int, compressed: bool  # noqa: FBT001 - a row of the table
) -> None:
    told = Behaviour(headers={"Content-Type": content_type}, body=LONG[:length])
    proxy.upstreams[upstream].behaviour = told
    _, headers, body = proxy.get(path, "Accept-Encoding: gzip")
    assert headers["content-type"] == content_type
    if compressed:
        assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")
        assert len(body) < length / 4
    else:
        assert "content-encoding" not in headers
        assert body == LONG[:length]
    _, headers, body = proxy.get(path)
    assert "content-encoding" not in headers
    assert body == LONG[:length]


def test_what_comes_compressed_is_passed_on_as_it_is(proxy: Proxy) -> None:
    packed = gzip.compress(LONG)
    told = {"Content-Type": "text/css", "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    proxy.upstreams["core"].behaviour = Behaviour(headers=told, body=packed)
    _, headers, body = proxy.get("/assets/1/own.css", "Accept-Encoding: gzip")
    assert headers["content-encoding"] == "gzip"
    assert body == packed


def test_its_own_numbers_are_told_at_a_socket_and_at_no_port(proxy: Proxy) -> None:
    settings = Settings(home=proxy.folder, run=proxy.folder, part="core", amqp_port=free_port())
    prober = Prober(settings)
    before = prober.ask().findings().proxy
    for path in ("/nginx_status", "/stub_status", "/status", "/"):
        assert b"server accepts handled requests" not in proxy.get(path)[2]
    after = prober.ask().findings().proxy
    assert before
    assert after
    assert after.requests - before.requests == 5  # the question itself is one
    assert after.accepted == after.handled
    assert after.writing >= 1
