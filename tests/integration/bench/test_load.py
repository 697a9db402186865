"""The load client against a real nginx: what it counts must be what was served."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.bench.load import Load, connect, drive, request
from tests.servers import free_port, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def nginx() -> Iterator[tuple[int, Path]]:
    """A port that answers 200, or 503 below /no; and the log of requests."""
    with short_folder() as folder:
        folder.chmod(0o777)
        port = free_port()
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log {folder}/access.log; keepalive_requests 50;\n"
            f"server {{ listen 127.0.0.1:{port};\n"
            "location / { return 200 'hello'; } location /no { return 503 'no'; } } }\n",
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        try:
            wait_for(lambda: _listens(port), seconds=10, what="nginx answers")
            yield port, folder / "access.log"
        finally:
            stop(process)


def _listens(port: int) -> bool:
    try:
        connect(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_every_answer_is_counted_by_its_status_and_a_said_last_one_is_no_fault(nginx: tuple[int, Path]) -> None:
    port, log = nginx
    result = drive(Load(
        address=("127.0.0.1", port), requests=[request("GET", "/yes", {}), request("GET", "/no", {})], connections=4,
        seconds=0.5, warm_up=0.0,
    ))
    assert set(result.statuses) == {200, 503}
    answered = result.statuses[200] + result.statuses[503]
    assert answered == len(result.latencies)
    assert result.rate == pytest.approx(answered / 0.5)
    served = len(log.read_text().splitlines())
    assert 4 * 50 < answered <= served <= answered + 4


def test_a_capped_load_keeps_to_its_rate(nginx: tuple[int, Path]) -> None:
    port, _ = nginx
    result = drive(Load(
        address=("127.0.0.1", port), requests=[request("GET", "/yes", {})], connections=4, seconds=1.0, warm_up=0.0,
        per_second=50,
    ))
    assert 40 <= len(result.latencies) <= 50
