"""As many layers as may be are sent at once: the registry has room in memory for no more."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, closing

import pytest

from tests.integration.compose.conftest import running_proxy
from tests.integration.compose.echo import Behaviour

AT_ONCE = 2
LAYER = f"/v2/library/app/blobs/sha256:{'a' * 64}"


@pytest.mark.parametrize("credentials", [(), ("Authorization: Basic YWRtaW46",)], ids=["bearer", "basic"])
def test_one_more_layer_than_may_be_sent_at_once_is_asked_for_later(credentials: tuple[str, ...]) -> None:
    with running_proxy(downloads=AT_ONCE) as proxy, ExitStack() as clients:
        registry, token = proxy.upstreams["registry"], proxy.upstreams["token"]
        token.behaviour = Behaviour(headers={"X-Minted": "minted"})
        registry.behaviour = slow = Behaviour(chunks=[b"first", b"second"])
        for _ in range(AT_ONCE):
            client = clients.enter_context(closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=10)))
            lines = [f"GET {LAYER} HTTP/1.1", "Host: registry.test:8080", *credentials, "", ""]
            client.sendall("\r\n".join(lines).encode())
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")

        status, headers, body = proxy.get(LAYER, *credentials)
        assert (status, headers["retry-after"]) == (503, "1")
        (error,) = json.loads(body)["errors"]
        assert error["code"] == "UNAVAILABLE"
        assert error["message"] == "as many layers are being sent as may be at once: try again in a moment"
        assert len(registry.requests) == AT_ONCE

        # all else goes on
        registry.behaviour = Behaviour()
        for method, path in (("HEAD", LAYER), ("GET", "/v2/library/app/manifests/v1"), ("GET", "/v2/")):
            assert proxy.get(path, method=method)[0] == 200, path
        for _ in range(2 * AT_ONCE):
            slow.release.release()
    with running_proxy(downloads=AT_ONCE) as proxy:
        # one that has ended makes room
        assert [proxy.get(LAYER)[0] for _ in range(3 * AT_ONCE)] == [200] * 3 * AT_ONCE
