"""A name server that does not answer holds up the deliveries that ask it, and nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import eventlet
import eventlet.patcher
import eventlet.tpool
import pytest
from cryptography.fernet import Fernet

from services.webhook.deliveries import WORKERS, Sending, _resolve
from shared.messaging.dependencies import SETTINGS

blocking_sleep = eventlet.patcher.original("time").sleep


def test_a_slow_resolver_stalls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]

    def slow(*_question: object) -> list[tuple[Any, ...]]:
        blocking_sleep(0.8)
        return answer

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    gaps: list[float] = []

    def tick() -> None:
        last = time.monotonic()
        while True:
            eventlet.sleep(0.01)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()

    ticking = eventlet.spawn(tick)
    eventlet.sleep(0.01)
    assert _resolve("slow.example.test", 443, 0, socket.SOCK_STREAM) == answer
    ticking.kill()
    assert len(gaps) > 5
    assert max(gaps) < 0.5


def test_a_deadline_ends_the_wait_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_question: blocking_sleep(1.5))
    begun = time.monotonic()
    with pytest.raises(eventlet.Timeout), eventlet.Timeout(0.2):
        _resolve("slow.example.test", 443)
    assert time.monotonic() - begun < 1.2


@pytest.fixture
def threads(tmp_path: Path) -> Iterator[None]:
    """As the part sets them up."""
    (tmp_path / "config-key").write_text(Fernet.generate_key().decode())
    before = eventlet.tpool._nthreads
    eventlet.tpool.killall()
    sending = Sending()
    sending.container = SimpleNamespace(config={SETTINGS: SimpleNamespace(outbound_allow=(), secrets=tmp_path)})
    sending.setup()
    yield
    eventlet.tpool.killall()
    eventlet.tpool.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_as_many_slow_names_as_there_may_be_leave_a_thread_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_: blocking_sleep(2 if name == "slow.example.test" else 0))
    waiting = [eventlet.spawn(_resolve, "slow.example.test", 443) for _ in range(WORKERS - 1)]
    eventlet.sleep(0.5)
    begun = time.monotonic()
    _resolve("quick.example.test", 443)
    assert time.monotonic() - begun < 0.5
    assert not any(each.dead for each in waiting)
    for each in waiting:
        each.wait()
