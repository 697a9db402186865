"""What the proxy writes down of clients' requests to the registry, and how the core mount takes it away."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from gateway.core.transfers import SETTLE_SECONDS, Transfers
from shared.metrics.tally import Tally
from tests.integration.compose.echo import Behaviour
from tests.integration.compose.test_proxy import DIGEST
from tests.servers import wait_for

if TYPE_CHECKING:
    from tests.integration.compose.conftest import Proxy


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("GET", f"/v2/a/b/blobs/{DIGEST}", "blob", 200),
        ("HEAD", f"/v2/a/b/blobs/{DIGEST}?x=/manifests/v1", "blob", 200),
        ("DELETE", f"/v2/a/b/blobs/{DIGEST}", "blob", 405),
        ("POST", "/v2/a/b/blobs/uploads/", "upload", 200),
        ("PATCH", "/v2/a/b/blobs/uploads/1f-x?_state=/blobs/y", "upload", 200),
        ("GET", "/v2/a/blobs/uploads/b/manifests/v1", "manifest", 200),
        ("HEAD", "/v2/a/b/manifests/v1", "manifest", 200),
        ("GET", "/v2/a/blobs/b/../../c/blobs/x", "blob", 404),
    ],
)
def test_what_goes_to_the_registry_is_a_line(proxy: Proxy, method: str, path: str, kind: str, status: int) -> None:
    written = proxy.folder / "transfers"
    written.unlink(missing_ok=True)
    assert proxy.get(path, "Content-Length: 0", method=method)[0] == status
    wait_for(written.exists, seconds=5, what="a line is written")
    wait_for(lambda: written.read_text().endswith("\n"), seconds=5, what="it is whole")
    found_kind, found_method, found_status, seconds, received, sent = written.read_text().split()
    assert (found_kind, found_method, found_status) == (kind, method, str(status))
    assert 0 <= float(seconds) < 5
    assert int(received) > 50
    assert int(sent) > 50


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/"), ("GET", "/v2/_catalog"), ("GET", "/v2/a/b/tags/list"), ("PUT", "/v2/a/b/manifests/v1"),
        ("GET", "/api/v2.0/projects?q=/v2/a/blobs/x"), ("GET", "/auth/token"), ("GET", f"/v2/a/b/referrers/{DIGEST}"),
        ("GET", "/transfers"), ("GET", "/.answers"),
    ],
)  # fmt: skip
def test_nothing_else_is(proxy: Proxy, method: str, path: str) -> None:
    written = proxy.folder / "transfers"
    written.unlink(missing_ok=True)
    proxy.get(path, "Content-Length: 0", method=method)
    time.sleep(0.1)
    assert not written.exists()


def test_a_slow_one_takes_as_long_as_its_client(proxy: Proxy) -> None:
    written = proxy.folder / "transfers"
    written.unlink(missing_ok=True)
    behaviour = proxy.upstreams["registry"].behaviour = Behaviour(chunks=[b"half", b"whole"])
    threading.Timer(0.35, behaviour.release.release, kwargs={"n": 2}).start()
    proxy.get(f"/v2/a/b/blobs/{DIGEST}")
    wait_for(written.exists, seconds=5, what="a line is written")
    wait_for(lambda: written.read_text().endswith("\n"), seconds=5, what="it is whole")
    # nginx looks at its clock once a turn: some milliseconds may be missing
    assert 0.3 <= float(written.read_text().split()[3]) < 3


def test_taken_again_and_again_under_load_no_line_is_lost_and_none_counts_twice(proxy: Proxy) -> None:
    written, tally, ended = proxy.folder / "transfers", Tally(), threading.Event()
    written.unlink(missing_ok=True)
    of_two = [Transfers(written, tally) for _ in range(2)]

    def count(one: Transfers) -> None:
        while not ended.is_set():
            one.count()

    def ask() -> None:
        for _ in range(500):
            proxy.get(f"/v2/a/b/blobs/{DIGEST}", method="HEAD")

    counting = [threading.Thread(target=count, args=(one,)) for one in of_two]
    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in (*counting, *asking):
        thread.start()
    for thread in asking:
        thread.join()
    time.sleep(2 * SETTLE_SECONDS)
    ended.set()
    for thread in counting:
        thread.join()
    of_two[0].count()
    told = {(each.name, *each.labels): each.value for each in tally.take()}
    assert told["transfers", "blob", "HEAD", "200"] == 2_000
