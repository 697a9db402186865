"""Health: all parts asked at once, none waited for in vain."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from socket import AF_UNIX, socket
from threading import Event
from time import monotonic, sleep

import pytest

from gateway.core.health import HealthCheck, Question, _broker, _http, judge_silence
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


def test_many_that_hang_take_no_longer_than_one_and_are_not_asked_again_meanwhile() -> None:
    asked: list[str] = []
    over, now = Event(), 100.0

    def hang(name: str) -> None:
        asked.append(name)
        over.wait(20)

    check = HealthCheck({name: partial(hang, name) for name in "abcdef"}, clock=lambda: now, patience=0.3)
    started = monotonic()
    for _ in range(2):
        assert {each.problem for each in check.components()} == {"no answer in time"}
        now += 2
    assert monotonic() - started < 2
    assert sorted(asked) == list("abcdef")
    over.set()
    assert {each.problem for each in check.components()} == {None}


def test_one_question_tells_of_several_parts_and_of_all_of_them_where_it_fails() -> None:
    unanswered = {"a": "away", "c": "not known"}
    well = HealthCheck({"b": lambda: None}, [Question(ask=lambda: {"a": None, "c": "silent"}, unanswered=unanswered)])
    assert [(each.name, each.problem) for each in well.components()] == [("a", None), ("b", None), ("c", "silent")]

    def fail() -> dict[str, str | None]:
        raise ValueError("of a test")

    ill = HealthCheck({"b": lambda: None}, [Question(ask=fail, unanswered=unanswered)])
    assert [(each.name, each.problem) for each in ill.components()] == [("a", "away"), ("b", None), ("c", "not known")]


def test_a_service_is_judged_by_how_long_it_has_told_nothing() -> None:
    assert judge_silence(49) is None
    assert judge_silence(50) == "it has told nothing of itself for 50 s"
    assert judge_silence(None) == "it has never told of itself"


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
