"""Whom a worker may serve, by how long the targets took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.webhook.domain.delivery import Claim, Fault, Outcome
from services.webhook.lanes import QUICK, Lanes

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


def claim(target_id: int) -> Claim:
    return Claim(
        lease=uuid4(), delivery_id=1, uid=uuid4(), number=1, target_id=target_id, policy_id=1, address="",
        skip_cert_verify=False, auth_header=None, signing_secret=None, event_type="", content_type="", body="",
    )  # fmt: skip


def outcome(seconds: float, fault: Fault | None = None) -> Outcome:
    finished_at = NOW + timedelta(seconds=seconds)
    return Outcome(fault=fault, message="", request="", response="", started_at=NOW, finished_at=finished_at)


def test_half_of_the_workers_serve_whoever_has_not_shown_to_be_quick() -> None:
    lanes = Lanes(8)
    for target_id in range(4):
        assert lanes.free == 4 - target_id
        lanes.begin(claim(target_id))
    assert (lanes.free, lanes.quick) == (0, frozenset())


@pytest.mark.parametrize("fault", [None, Fault.TARGET, Fault.DELIVERY])
def test_a_quick_attempt_shows_it_whatever_came_of_it(fault: Fault | None) -> None:
    lanes = Lanes(8)
    lanes.begin(claim(7))
    lanes.end(claim(7), outcome(QUICK.total_seconds(), fault))
    assert (lanes.free, lanes.quick) == (4, {7})
    lanes.begin(claim(7))
    assert lanes.free == 4


@pytest.mark.parametrize("last", [outcome(1.1), None], ids=["slow", "nothing is known"])
def test_who_was_slow_last_has_to_show_it_anew(last: Outcome | None) -> None:
    lanes = Lanes(8)
    lanes.end(claim(7), outcome(0.1))
    lanes.begin(claim(7))
    lanes.end(claim(7), last)
    assert (lanes.free, lanes.quick) == (4, frozenset())
    lanes.begin(claim(7))
    assert lanes.free == 3
