"""A name server that does not answer holds up the delivery that asks it, and nothing else."""

from __future__ import annotations

import socket
import time
from typing import Any

import eventlet
import eventlet.patcher
import pytest

from services.webhook.deliveries import _resolve

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
