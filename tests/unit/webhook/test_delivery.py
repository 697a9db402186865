"""When a delivery is tried again, when a target is left alone, and what is signed."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from uuid import UUID

import pytest

from services.webhook.domain.delivery import GIVEN_UP_AFTER, Breaker, Fault, next_attempt, signature
from shared.secrets import Secret

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


def attempts(chance: float) -> list[datetime]:
    """When each attempt of a delivery is, where all fail."""
    found, number, due = [NOW], 1, NOW
    while (following := next_attempt(number, now=due, expires_at=NOW + GIVEN_UP_AFTER, chance=chance)) is not None:
        found.append(following)
        number, due = number + 1, following
    return found


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_delivery_is_tried_for_a_day_with_growing_pauses(chance: float) -> None:
    times = attempts(chance)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[0] <= timedelta(seconds=13)
    assert pauses[-1] <= timedelta(minutes=75)
    assert timedelta(hours=22) < times[-1] - NOW <= timedelta(days=1)
    assert 20 <= len(times) <= 45


def test_chance_spreads_attempts() -> None:
    expires_at = NOW + GIVEN_UP_AFTER
    dues = {next_attempt(3, now=NOW, expires_at=expires_at, chance=chance / 10) for chance in range(11)}
    assert len(dues) == 11


def test_a_target_is_left_alone_after_some_failures_and_for_longer_each_time() -> None:
    breaker = Breaker()
    rests = []
    for _ in range(20):
        breaker = breaker.after(Fault.TARGET, now=NOW, chance=1.0)
        rests.append((breaker.open_until or NOW) - NOW)
    assert rests[:4] == [timedelta(0)] * 4
    assert rests[4:] == sorted(rests[4:])
    assert (rests[4], rests[-1]) == (timedelta(seconds=30), timedelta(minutes=10))


def test_a_silent_target_is_left_alone_after_the_second_time_and_for_longer_each_time() -> None:
    breaker = Breaker()
    rests = []
    for _ in range(4):
        breaker = breaker.after(Fault.SILENT, now=NOW, chance=1.0)
        rests.append(((breaker.open_until or NOW) - NOW).total_seconds())
    assert rests == [0, 30, 60, 120]
    once = Breaker(failures=7).after(Fault.SILENT, now=NOW, chance=1.0)
    assert once == Breaker(failures=7).after(Fault.TARGET, now=NOW, chance=1.0)


@pytest.mark.parametrize("fault", [None, Fault.DELIVERY])
def test_whoever_answers_is_alive(fault: Fault | None) -> None:
    broken = Breaker(failures=9, open_until=NOW)
    assert broken.after(fault, now=NOW, chance=0.5) == Breaker()


def test_a_breaker_that_was_open_for_very_long_still_counts() -> None:
    assert Breaker(failures=10_000).after(Fault.TARGET, now=NOW, chance=0).open_until == NOW + timedelta(minutes=5)


def test_time_delivery_and_body_are_signed_together() -> None:
    uid = UUID("11111111-2222-5333-8444-555555555555")
    signed = signature(Secret("s3cret"), timestamp=1779021015, uid=uid, body=b'{"a":1}')
    mac = hmac.new(b"s3cret", f"1779021015.{uid}.".encode() + b'{"a":1}', sha256).hexdigest()
    assert signed == f"t=1779021015,v1={mac}"
