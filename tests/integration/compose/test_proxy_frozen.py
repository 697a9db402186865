"""The proxy in read-only mode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.core.middleware.read_only import ReadOnlyMode
from tests.integration.compose.test_proxy import DIGEST, READS, WRITES

if TYPE_CHECKING:
    from tests.integration.compose.conftest import Proxy


@pytest.mark.parametrize(("method", "path"), [*WRITES, ("DELETE", f"/v2/a/b/manifests/{DIGEST}")])
def test_read_only_mode_is_said_to_whoever_would_change_something(proxy: Proxy, method: str, path: str) -> None:
    proxy.frozen_flag.touch()
    status, headers, body = proxy.get(path, "Content-Length: 0", method=method)
    assert (status, headers["content-type"], "retry-after" in headers) == (403, "application/json", False)
    (error,) = json.loads(body)["errors"]
    assert error == {"code": "DENIED", "message": ReadOnlyMode.default}
    assert not any(upstream.requests for upstream in proxy.upstreams.values())
    proxy.frozen_flag.unlink()
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == 200


@pytest.mark.parametrize(("method", "path"), [read for read in READS if read[0] != "DELETE"])
def test_read_only_mode_lets_reads_through(proxy: Proxy, method: str, path: str) -> None:
    proxy.frozen_flag.touch()
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == 200
