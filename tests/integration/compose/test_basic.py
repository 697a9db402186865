"""Basic credentials on /v2: exchanged for a bearer at the token mount, and nobody else is made to wait for that."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.compose.conftest import running_proxy
from tests.integration.compose.echo import Behaviour

if TYPE_CHECKING:
    from tests.integration.compose.conftest import Proxy

DIGEST = f"sha256:{'c' * 64}"
BASIC = f"Authorization: Basic {b64encode(b'anna:secret').decode()}"
MINTED = Behaviour(headers={"X-Minted": "minted.token"})

REQUESTS = [
    ("GET", "/v2/", "registry"),
    ("GET", "/v2/a/b/manifests/1", "registry"),
    ("HEAD", "/v2/a/b/manifests/1", "registry"),
    ("GET", f"/v2/a/b/blobs/{DIGEST}", "registry"),
    ("HEAD", f"/v2/a/b/blobs/{DIGEST}", "registry"),
    ("POST", f"/v2/a/b/blobs/uploads/?mount={DIGEST}&from=c%2Fd", "registry"),
    ("PATCH", "/v2/a/b/blobs/uploads/x?_state=y", "registry"),
    ("PUT", f"/v2/a/b/blobs/uploads/x?digest={DIGEST}", "registry"),
    ("PUT", "/v2/a/b/manifests/1", "core"),
    ("DELETE", "/v2/a/b/manifests/1", "core"),
    ("GET", "/v2/a/b/tags/list?n=3", "core"),
    ("GET", f"/v2/a/b/referrers/{DIGEST}?artifactType=x", "core"),
]
KINDS = ["", "Authorization: Bearer some.token", "Authorization: Digest x", "Authorization: Basicly x"]


def seen(proxy: Proxy, upstream: str) -> list[dict[str, Any]]:
    return proxy.upstreams[upstream].requests


@pytest.mark.parametrize(("method", "path", "keeper"), REQUESTS)
def test_password_is_exchanged_for_a_token_before_the_request_goes_on(
    proxy: Proxy, method: str, path: str, keeper: str
) -> None:
    proxy.upstreams["token"].behaviour = MINTED
    status, headers, _ = proxy.get(
        path, BASIC, "Content-Length: 0", "User-Agent: curl/8 rid/forged", "X-Original-URI: /v2/evil", method=method
    )
    assert status == 200
    (asked,) = seen(proxy, "token")
    assert (asked["method"], asked["path"]) == ("GET", "/internal/basic")
    assert (asked["headers"]["x-original-method"], asked["headers"]["x-original-uri"]) == (method, path)
    assert asked["headers"]["authorization"] == BASIC.partition(": ")[2]
    assert asked["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert asked["headers"]["user-agent"] == "curl/8"
    (passed_on,) = seen(proxy, keeper)
    assert (passed_on["method"], passed_on["path"]) == (method, path)
    assert passed_on["headers"]["authorization"] == "Bearer minted.token"
    assert passed_on["headers"]["x-request-id"] == asked["headers"]["x-request-id"] == headers["x-request-id"]
    assert "x-minted" not in headers


@pytest.mark.parametrize("authorization", KINDS)
@pytest.mark.parametrize(("method", "path", "keeper"), REQUESTS)
def test_no_other_request_asks_for_it(proxy: Proxy, method: str, path: str, keeper: str, authorization: str) -> None:
    proxy.get(path, *filter(None, [authorization]), "Content-Length: 0", method=method)
    assert {name: len(server.requests) for name, server in proxy.upstreams.items()} == {
        name: int(name == keeper) for name in proxy.upstreams
    }
    (passed_on,) = seen(proxy, keeper)
    assert passed_on["headers"].get("authorization", "") == authorization.partition(": ")[2]


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/v2/a/b/manifests/1"),
    ("HEAD", "/v2/a/b/manifests/1"),
    ("GET", f"/v2/a/b/manifests/{DIGEST}"),
    ("GET", f"/v2/a/b/blobs/{DIGEST}"),
    ("HEAD", f"/v2/a/b/blobs/{DIGEST}"),
    ("POST", "/v2/a/b/blobs/uploads/"),
    ("PATCH", "/v2/a/b/blobs/uploads/x"),
    ("PUT", "/v2/a/b/blobs/uploads/x?digest=y"),
])  # fmt: skip
def test_blobs_and_manifest_reads_with_a_token_reach_the_registry_and_no_python(
    proxy: Proxy, method: str, path: str
) -> None:
    proxy.get(path, "Authorization: Bearer some.token", "Content-Length: 0", method=method)
    assert [name for name, server in proxy.upstreams.items() if server.requests] == ["registry"]


def test_gate_gets_the_client_s_name_alone_behind_a_password_too(proxy: Proxy) -> None:
    proxy.upstreams["token"].behaviour = MINTED
    proxy.get("/v2/a/b/manifests/1", BASIC, "User-Agent: curl/8", "Content-Length: 0", method="PUT")
    assert seen(proxy, "core")[0]["headers"]["user-agent"] == "curl/8"
    proxy.get("/v2/a/b/manifests/1", BASIC, "User-Agent: curl/8", "X-Request-Id: r1")
    assert seen(proxy, "registry")[0]["headers"]["user-agent"] == "curl/8 rid/r1"


def test_body_goes_whole_to_the_request_s_own_place_and_not_to_the_exchange(proxy: Proxy) -> None:
    proxy.upstreams["token"].behaviour = MINTED
    for path, size in (("/v2/a/b/manifests/1", 100_000), ("/v2/a/b/blobs/uploads/x", 8 * 1024**2)):
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\n{BASIC}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        assert proxy.raw(head.encode() + b"x" * size).startswith(b"HTTP/1.1 200 ")
    assert [request["body"] for request in seen(proxy, "token")] == [0, 0]
    assert seen(proxy, "core")[0]["body"] == 100_000
    assert seen(proxy, "registry")[0]["body"] == 8 * 1024**2


def test_manifest_that_comes_in_chunks_keeps_its_limit_behind_a_password(proxy: Proxy) -> None:
    proxy.upstreams["token"].behaviour = MINTED
    chunk = b"%x\r\n%s\r\n" % (1024**2, b"x" * 1024**2)
    fields = ("Host: x", BASIC, "Connection: close", "Transfer-Encoding: chunked", "", "")
    head = "\r\n".join(("PUT /v2/a/b/manifests/1 HTTP/1.1", *fields))
    assert proxy.raw(head.encode() + chunk * 4 + b"0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert proxy.raw(head.encode() + chunk * 6 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert len(seen(proxy, "core")) == 1


def test_token_of_many_scopes_comes_through_the_exchange(proxy: Proxy) -> None:
    proxy.upstreams["token"].behaviour = Behaviour(headers={"X-Minted": "x" * 20_000})
    assert proxy.get("/v2/a/b/manifests/1", BASIC)[0] == 200
    assert seen(proxy, "registry")[0]["headers"]["authorization"] == f"Bearer {'x' * 20_000}"


@pytest.mark.parametrize(("method", "path", "keeper"), REQUESTS)
def test_wrong_password_is_401_with_a_challenge_and_goes_no_further(
    proxy: Proxy, method: str, path: str, keeper: str
) -> None:
    body = '{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}'
    proxy.upstreams["token"].behaviour = Behaviour(status=401, headers={
        "X-Refusal": "401", "X-Refusal-Body": body, "WWW-Authenticate": 'Basic realm="Breakwater"',
    })  # fmt: skip
    status, headers, answered = proxy.get(path, BASIC, "Content-Length: 0", method=method)
    assert status == 401
    assert headers["www-authenticate"] == 'Basic realm="Breakwater"'
    assert headers["content-type"] == "application/json"
    assert headers["docker-distribution-api-version"] == "registry/2.0"
    assert answered.decode() == ("" if method == "HEAD" else body)
    assert seen(proxy, keeper) == []


def test_who_has_no_room_left_is_told_so_without_a_challenge(proxy: Proxy) -> None:
    body = '{"errors":[{"code":"DENIED","message":"the storage quota is used up"}]}'
    proxy.upstreams["token"].behaviour = Behaviour(
        status=401, headers={"X-Refusal": "403", "X-Refusal-Body": body}
    )
    status, headers, answered = proxy.get("/v2/a/b/blobs/uploads/", BASIC, "Content-Length: 0", method="POST")
    assert (status, answered.decode()) == (403, body)
    assert "www-authenticate" not in headers
    assert seen(proxy, "registry") == []


def test_guesser_is_told_to_wait(proxy: Proxy) -> None:
    body = '{"errors":[{"code":"TOOMANYREQUESTS","message":"too many failed logins"}]}'
    proxy.upstreams["token"].behaviour = Behaviour(
        status=401, headers={"X-Refusal": "429", "X-Refusal-Body": body, "X-Refusal-After": "17"}
    )
    status, headers, answered = proxy.get("/v2/a/b/manifests/1", BASIC)
    assert (status, headers["retry-after"], answered.decode()) == (429, "17", body)
    assert "www-authenticate" not in headers


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(status=401, headers={"X-Refusal": "503", "X-Refusal-Body": "{}"}),
        Behaviour(status=500),
        Behaviour(status=503, headers={"X-Minted": "minted.token"}),
    ],
    ids=["says so", "fault", "away"],
)
def test_exchange_that_cannot_decide_is_a_503(proxy: Proxy, behaviour: Behaviour) -> None:
    proxy.upstreams["token"].behaviour = behaviour
    status, headers, body = proxy.get("/v2/a/b/manifests/1", BASIC)
    assert (status, headers["retry-after"]) == (503, "1")
    assert json.loads(body)["errors"][0]["code"] == "UNAVAILABLE"
    assert seen(proxy, "registry") == []


def test_token_mount_that_is_away_is_a_503_and_leaves_bearers_alone() -> None:
    with running_proxy() as proxy:
        proxy.upstreams["token"].close()
        status, headers, body = proxy.get("/v2/a/b/manifests/1", BASIC)
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body)["errors"][0]["code"] == "UNAVAILABLE"
        assert proxy.get("/v2/a/b/manifests/1", "Authorization: Bearer some.token")[0] == 200


def test_catalog_and_api_get_the_password_itself(proxy: Proxy) -> None:
    for path in ("/v2/_catalog", "/api/v2.0/projects"):
        proxy.get(path, BASIC)
    assert seen(proxy, "token") == []
    assert {request["headers"]["authorization"] for request in seen(proxy, "core")} == {BASIC.partition(": ")[2]}


def test_full_disk_refuses_a_push_before_any_password_is_looked_at(proxy: Proxy) -> None:
    proxy.readonly_flag.touch()
    assert proxy.get("/v2/a/b/manifests/1", BASIC, "Content-Length: 0", method="PUT")[0] == 403
    assert proxy.get(f"/v2/a/b/blobs/{DIGEST}", BASIC, method="DELETE")[0] == 405
    assert seen(proxy, "token") == []
