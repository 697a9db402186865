"""Health: all parts asked at once, none waited for in vain."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import AF_UNIX, socket
from time import monotonic, sleep

import pytest

from gateway.core.health import HealthCheck, _broker, _http
from shared.settings import Settings
from tests.servers import free_port


@contextmanager
def listener(folder: Path) -> Iterator[Path]:
    """A socket that takes connections and never says anything."""
    path = folder / "silent.sock"
    with socket(AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.0 401 Unauthorized\r\n\r\n", None),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "the answer tells of a fault"),
        (b"220 mail ready\r\n", "the answer tells of a fault"),
    ],
)
def test_a_server_is_judged_by_its_answer(tmp_path: Path, line: bytes, problem: str | None) -> None:
    path = tmp_path / "s.sock"
    with socket(AF_UNIX) as server, ThreadPoolExecutor(1) as thread:
        server.bind(str(path))
        server.listen()
        server.settimeout(5)

        def serve() -> None:
            taken, _ = server.accept()
            with taken:
                taken.recv(100)
                taken.sendall(line)

        served = thread.submit(serve)
        assert _http(path, "/") == problem
        served.result()


def test_parts_are_told_by_name_with_what_is_wrong() -> None:
    check = HealthCheck({"b": lambda: "gone", "a": lambda: None})
    assert [(each.name, each.status, each.problem) for each in check.components()] == [
        ("a", "healthy", None),
        ("b", "unhealthy", "gone"),
    ]


def test_a_part_that_hangs_is_unhealthy_and_holds_nobody_up() -> None:
    check = HealthCheck({"a": lambda: sleep(6), "b": lambda: None})
    started = monotonic()
    hanging, well = check.components()
    assert monotonic() - started < 5
    assert hanging.problem == "no answer in time"
    assert well.problem is None


def test_a_silent_or_missing_server_is_unhealthy(tmp_path: Path) -> None:
    assert _http(tmp_path / "missing.sock", "/") == "no answer"
    away = Settings(home=tmp_path, run=tmp_path, amqp_port=free_port())
    assert _broker(away) == "the broker does not answer"
    with listener(tmp_path) as path:
        assert _http(path, "/") == "no answer"


def test_parts_are_asked_at_most_once_a_second_however_many_want_to_know() -> None:
    asked: list[str] = []
    now = 100.0

    def probe() -> str:
        asked.append("")
        sleep(0.05)
        return str(len(asked))

    check = HealthCheck({"part": probe}, clock=lambda: now)
    with ThreadPoolExecutor(8) as crowd:
        told = list(crowd.map(lambda _: check.components()[0].problem, range(8)))
    assert told == ["1"] * 8
    now += 0.99
    assert check.components()[0].problem == "1"
    now += 0.02
    assert check.components()[0].problem == "2"
