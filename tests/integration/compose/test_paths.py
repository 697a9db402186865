"""Attack A9 and its kin: what is not a path of the distribution API never reaches the registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.compose.conftest import Proxy

DIGEST = f"sha256:{'a' * 64}"

MALFORMED = [
    "//v2/",
    "/v2//",
    "/v2//library/x/tags/list",
    "/v2/library//x/tags/list",
    "/v2/%2e%2e/library/x/tags/list",
    "/v2/library/x/../y/tags/list",
    "/v2/library/x/%2e%2e/y/tags/list",
    "/v2/library/x/..%2fy/tags/list",
    "/v2/library%2Fx/tags/list",
    "/v2/library%2fx/manifests/latest",
    "/v2/./library/x/tags/list",
    "/v2/library/x/./tags/list",
    "/v2/library/x;a=b/tags/list",
    "/v2/library/x/manifests/latest;a",
    "/v2/library\\x/tags/list",
    "/v2/library/x%5c/tags/list",
    "/v2/library/x%00/tags/list",
    "/%76%32/library/x/manifests/latest",
    "/v%32/library/x/manifests/latest",
    "/api/../v2/library/x/manifests/latest",
    "/api/..//v2/library/x/manifests/latest",
    "//api/..//v2/library/x/manifests/latest",
    "/api//%2e%2e/v2/library/x/manifests/latest",
    "/%61pi//v2.0/ping",
    "/api//v2.0/projects;a=b",
    "//auth/token",
    "/auth//token",
    "//service/token",
    "//internal/token",
    "//healthz",
    "//",
    "/api/..%2fv2/library/x/manifests/latest",
    "/v2/Library/x/tags/list",
    "/v2/library/x/Tags/list",
    "/v2/library/x/tags/list/",
    "/v2/library/x/manifests/",
    "/v2/library/x/manifests/la%74est",
    "/v2/library/x/manifests/la test",
    f"/v2/library/x/manifests/{'t' * 129}",
    "/v2/library/x/manifests/-latest",
    "/v2/library/x/manifests/a/b",
    "/v2/library/x/blobs/latest",
    "/v2/-x/tags/list",
    "/v2/x-/tags/list",
    "/v2/a___b/tags/list",
    "/v2/a..b/tags/list",
    "/v2/unknown",
    "/v2/_catalog/",
    "/v2/_catalog/tags/list",
    "/v2/%5fcatalog",
    "/v2/x/../_catalog",
    "/v2/library/x/tags/list%3Fn=1",
    "/v2/library/x/tags%2Flist",
    "/v2/library/x/referrers/",
    "/v2/library/x/referrers/latest",
    f"/v2/library/x/referrers/{DIGEST}/y",
    f"/v2/library/x/referrers/..%2fmanifests/{DIGEST}",
    f"/v2/library/x/Referrers/{DIGEST}",
    "/v2/.basic",
    "/.basic/../v2/library/x/tags/list",
    "/v2/library/x/blobs/uploads/a/b",
    "/api/v2.0/projects/..%2f..%2f..%2fv2/library/x/manifests/latest",
]

WELL_FORMED = [
    ("GET", "/v2", "registry"),
    ("GET", "/v2/", "registry"),
    ("GET", "/v2/_catalog?n=10&last=library%2Fx", "core"),
    ("GET", "/v2/library/x/tags/list?n=5", "core"),
    ("HEAD", "/v2/library/x/tags/list", "core"),
    ("GET", "/v2/x/tags/list", "core"),
    ("GET", "/v2/a/b/c/d.e_f__g-h--i/tags/list", "core"),
    ("GET", "/v2/a/tags/list/tags/list", "core"),
    ("GET", "/v2/a/tags/list/manifests/c", "registry"),
    ("GET", f"/v2/a/referrers/blobs/{DIGEST}", "registry"),
    ("GET", "/v2/library/x/manifests/latest", "registry"),
    ("HEAD", "/v2/library/x/manifests/v1.0_A-b", "registry"),
    ("GET", f"/v2/library/x/manifests/{DIGEST}", "registry"),
    ("GET", f"/v2/library/x/manifests/{DIGEST.replace(':', '%3A')}", "registry"),
    ("GET", f"/v2/library/x/blobs/{DIGEST}", "registry"),
    ("GET", f"/v2/library/x/referrers/{DIGEST}?artifactType=a", "core"),
    ("GET", f"/v2/library/x/referrers/{DIGEST.replace(':', '%3A')}", "core"),
    ("POST", "/v2/library/x/blobs/uploads/", "registry"),
    ("POST", f"/v2/library/x/blobs/uploads/?mount={DIGEST}&from=other%2Fy", "registry"),
    ("PATCH", "/v2/library/x/blobs/uploads/8a6f0c9e-1b2c-4d5e-8f90-123456789abc?_state=a-b_c%3D%3D", "registry"),
    ("DELETE", "/v2/library/x/blobs/uploads/8a6f0c9e-1b2c-4d5e-8f90-123456789abc", "registry"),
    ("GET", "/v2/a/manifests/b/manifests/c", "registry"),
    ("PUT", "/v2/library/x/manifests/latest", "core"),
    ("DELETE", f"/v2/library/x/manifests/{DIGEST}", "core"),
    ("DELETE", f"/v2/library/x/manifests/{DIGEST.replace(':', '%3a')}", "core"),
    ("PUT", "/v2/a/manifests/b/manifests/c", "core"),
    ("PUT", "/v2/a/blobs/uploads/manifests/c?x=/v2/", "core"),
    ("GET", "/auth/token?service=s&scope=repository:a/b:pull", "token"),
    ("POST", "/auth/token", "token"),
    ("GET", "/service/token", "token"),
    ("GET", "/api/v2.0/events/stream?project=library", "events"),
    ("GET", "/api/v2.0/projects/library/repositories/a%252Fb/artifacts", "core"),
    ("GET", "/api/v2.0/projects/library/repositories/a%2Fb/artifacts", "core"),
    ("GET", "/api/v2.0/projects?q=name%3D~a//b", "core"),
    ("GET", "/api//v2.0///projects//library", "core"),
    ("GET", "/api/v2.0/projects//", "core"),
    ("DELETE", "/api/v2.0/projects/library//repositories/a%252Fb", "core"),
    ("GET", "/api//v2/library/x/manifests/latest", "core"),
    ("GET", "/c/login", "core"),
    ("GET", "/", "core"),
    ("GET", "/healthz", "core"),
    ("GET", "/v2x", "core"),
]


@pytest.mark.parametrize("path", MALFORMED)
def test_malformed_path_is_refused_in_the_registry_s_shape(proxy: Proxy, path: str) -> None:
    status, headers, body = proxy.get(path)
    assert status in {400, 404}
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["errors"][0]["code"] in {"NAME_UNKNOWN", "NOT_FOUND", "BAD_REQUEST"}
    assert [request for upstream in proxy.upstreams.values() for request in upstream.requests] == []


@pytest.mark.parametrize(("method", "path", "upstream"), WELL_FORMED)
def test_path_reaches_its_upstream_as_it_was_written(proxy: Proxy, method: str, path: str, upstream: str) -> None:
    status, _, _ = proxy.get(path, "Content-Length: 0", method=method)
    assert status == 200
    seen = {name: [request["path"] for request in server.requests] for name, server in proxy.upstreams.items()}
    assert seen == {name: [path] if name == upstream else [] for name in proxy.upstreams}


@pytest.mark.parametrize(
    ("path", "upstream"),
    [
        ("//api/v2.0/projects", "core"),
        ("///api//v2.0/projects/library", "core"),
        ("//api/v2.0/events/stream?since=5", "events"),
        ("/api/v2.0//events///stream?since=5", "events"),
    ],
)
def test_the_api_is_found_behind_repeated_slashes(proxy: Proxy, path: str, upstream: str) -> None:
    status, _, _ = proxy.get(path, "Content-Length: 0")
    assert status == 200
    seen = {name: len(server.requests) for name, server in proxy.upstreams.items()}
    assert seen == {name: int(name == upstream) for name in proxy.upstreams}
    if upstream == "events":  # its one path is known here: it hears it as it knows it
        assert proxy.upstreams["events"].requests[0]["path"] == "/api/v2.0/events/stream?since=5"


@pytest.mark.parametrize(
    "path",
    ["/internal/token", "/internal", "/internal/basic", "/service/notifications", "/service/", "/service/token/x",
     "/.errors/long", "/.basic", "/.basic?x=1", "/%2ebasic"],
)
def test_doors_between_the_parts_are_not_reachable(proxy: Proxy, path: str) -> None:
    status, _, body = proxy.get(path, method="POST")
    assert status == 404
    assert json.loads(body)["errors"][0]["code"] == "NOT_FOUND"
    assert [request for upstream in proxy.upstreams.values() for request in upstream.requests] == []


def test_long_path_without_structure_is_refused_quickly(proxy: Proxy) -> None:
    for name in ("a" * 30_000, "a-" * 15_000, "a/" * 15_000, "a__" * 10_000):
        status, _, _ = proxy.get(f"/v2/{name}")
        assert status == 404


def test_endless_path_is_refused_in_the_shape(proxy: Proxy) -> None:
    status, _, body = proxy.get(f"/v2/{'a' * 40_000}")
    assert status == 414
    assert json.loads(body) == {"errors": [{"code": "BAD_REQUEST", "message": "the request's address is too long"}]}


def test_what_is_no_http_is_refused_in_the_shape(proxy: Proxy) -> None:
    answer = proxy.raw(b"GET /%2F%2F..%2F HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"errors":[{"code":"BAD_REQUEST"' in answer


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/%6civez", "/read%79z", "/livez?x=1"])
def test_what_a_process_is_asked_by_whoever_started_it_nobody_asks_from_outside(proxy: Proxy, path: str) -> None:
    assert proxy.get(path)[0] == 404
    assert [request for upstream in proxy.upstreams.values() for request in upstream.requests] == []
