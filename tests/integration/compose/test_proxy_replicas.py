"""Two servers behind each of the proxy's upstreams: who is gone is passed over, and only what may be is asked twice."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.compose.conftest import Proxy, running_proxy
from tests.integration.compose.echo import Behaviour, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST = "/v2/library/app/manifests/v1"


@pytest.fixture
def pair() -> Iterator[Proxy]:
    """Of each upstream but the registry there are two; tests close the first of one, or put another in its place."""
    with running_proxy(replicas=2) as started:
        yield started


class Dying:
    """Takes a connection, reads what is asked, and is gone before it answers."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.asked: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o777)
        self._listener.listen(8)
        self._listener.settimeout(20)
        self._thread = threading.Thread(target=self._die, daemon=True)
        self._thread.start()

    def _die(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65536).partition(b"\r\n")[0].decode())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def answered(pair: Proxy, name: str, *, times: int = 6, method: str = "GET", path: str = "/api/v2.0/ping") -> list[int]:
    pair.upstreams[name].behaviour = Behaviour()
    return [pair.get(path, "Content-Length: 0", method=method)[0] for _ in range(times)]


def test_both_are_asked(pair: Proxy) -> None:
    assert answered(pair, "core") == [200] * 6
    assert len(pair.upstreams["core"].requests) == 3
    assert len(pair.upstreams["core-2"].requests) == 3


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
def test_whoever_is_gone_is_passed_over_whatever_is_asked(pair: Proxy, method: str) -> None:
    """Nothing was sent to it: nothing is done twice."""
    pair.upstreams["core"].close()
    assert answered(pair, "core-2", times=8, method=method) == [200] * 8
    assert len(pair.upstreams["core-2"].requests) == 8


@pytest.mark.parametrize(
    ("upstream", "path"),
    [("token", "/auth/token"), ("core", "/v2/_catalog"), ("core", "/healthz"), ("events", "/api/v2.0/events/stream")],
)
def test_every_way_leads_past_one_that_is_gone(pair: Proxy, upstream: str, path: str) -> None:
    pair.upstreams[f"{upstream}-2"].close()
    assert answered(pair, upstream, path=path) == [200] * 6


@pytest.mark.parametrize(
    ("method", "path", "repeated"),
    [
        ("GET", "/api/v2.0/projects", True), ("PUT", MANIFEST, True), ("PUT", "/api/v2.0/configurations", True),
        ("POST", "/api/v2.0/projects", False), ("PATCH", "/api/v2.0/robots/1", False),
    ],
)
def test_what_dies_with_whoever_had_it_is_asked_again_where_that_does_no_harm(
    pair: Proxy, method: str, path: str, *, repeated: bool
) -> None:
    pair.upstreams["core"].close()
    dying = Dying(pair.folder / "core.sock")
    try:
        found = answered(pair, "core-2", times=2, method=method, path=path)
        assert len(dying.asked) == 1
        assert sorted(found) == ([200, 200] if repeated else [200, 503])
        assert len(pair.upstreams["core-2"].requests) == (2 if repeated else 1)
    finally:
        dying.close()


def test_of_the_registry_there_is_one(pair: Proxy) -> None:
    assert answered(pair, "registry", path="/v2/") == [200] * 6
    assert len(pair.upstreams["registry"].requests) == 6
    assert "registry-2" not in pair.upstreams
    assert isinstance(pair.upstreams["registry"], Upstream)
