"""A proxy that stands still: the kernel goes on taking connections for it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import yaml

from compose.local import asking, health
from compose.local.options import CHECKOUT, Options
from tests.integration.compose.conftest import running_proxy
from tests.servers import stand_still

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.compose.conftest import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


def test_one_that_stands_still_is_found_by_status_and_in_its_container_and_asking_leaves_no_lines(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = yaml.safe_load((CHECKOUT / "compose" / "docker" / "compose.yaml").read_text())["services"]
    _, *check = services["proxy"]["healthcheck"]["test"]
    asked = [word.replace("/8080", f"/{proxy.port}").replace("-t 5", "-t 0.5") for word in check]
    assert f"/{proxy.port} " in asked[-1]
    parts = yaml.safe_load((CHECKOUT / "compose" / "helm" / "files" / "parts.yaml").read_text())
    assert parts["proxy"]["check"] == check

    def is_well() -> bool:
        return subprocess.run(asked, check=False, timeout=20, capture_output=True).returncode == 0

    monkeypatch.setattr(asking, "_SECONDS", 0.5)
    options, layout = Options(port=proxy.port), SimpleNamespace(proxy_status=proxy.folder / "proxy-status.sock")

    def is_healthy() -> bool:
        return health._proxy(SimpleNamespace(options=options, layout=layout))  # type: ignore[arg-type]  # it is asked for nothing else

    before = (proxy.folder / "access.log").read_text()
    assert (is_well(), is_healthy()) == (True, True)
    master = int((proxy.folder / "pid").read_text())
    processes = [master, *map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split())]
    assert len(processes) > 1
    stand_still(*processes)
    try:
        assert (is_well(), is_healthy()) == (False, False)
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    assert (is_well(), is_healthy()) == (True, True)
    assert (proxy.folder / "access.log").read_text() == before
