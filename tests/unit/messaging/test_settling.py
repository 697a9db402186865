"""What becomes of messages that failed."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from shared.errors import Unprocessable
from shared.messaging.connection import Backoff
from shared.messaging.settling import ATTEMPTS, MOST_ATTEMPTS, Delivery, after_failure, dead_letter, reason
from shared.messaging.topology import AUDIT

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def delivery(attempts: object = 0, **headers: object) -> Delivery:
    return Delivery(
        tag=1,
        body=b"{}",
        routing_key="artifact.pushed.p",
        headers={ATTEMPTS: attempts} | headers,
        properties={"message_id": "m"},
    )


@pytest.mark.parametrize(("before", "delay"), [(0, "1s"), (1, "10s"), (2, "1m"), (3, "10m")])
def test_each_attempt_waits_longer(before: int, delay: str) -> None:
    outgoing = after_failure(AUDIT, delivery(before), ValueError(), now=NOW)
    assert (outgoing.exchange, outgoing.routing_key) == ("audit.retry", delay)
    assert outgoing.properties["application_headers"][ATTEMPTS] == before + 1


@pytest.mark.parametrize("before", [MOST_ATTEMPTS - 1, MOST_ATTEMPTS, 10_000])
def test_after_the_last_attempt_it_is_a_dead_letter(before: int) -> None:
    assert after_failure(AUDIT, delivery(before), ValueError(), now=NOW).exchange == "audit.dead-letters"


def test_a_dead_letter_says_why_when_and_whence() -> None:
    outgoing = dead_letter(AUDIT, delivery(2), Unprocessable("the tag is odd"), now=NOW)
    assert outgoing.body == b"{}"
    assert outgoing.properties["message_id"] == "m"
    assert outgoing.properties["application_headers"] == {
        "x-breakwater-attempts": 3,
        "x-breakwater-error-code": "UNPROCESSABLE_ENTITY",
        "x-breakwater-error": "the tag is odd",
        "x-breakwater-failed-at": "2026-01-02T03:04:05.000+00:00",
        "x-breakwater-routing-key": "artifact.pushed.p",
    }


def test_headers_of_others_do_not_pile_up() -> None:
    outgoing = after_failure(AUDIT, delivery(1, **{"x-death": [{}] * 100}), ValueError(), now=NOW)
    assert "x-death" not in outgoing.properties["application_headers"]


def test_the_text_of_foreign_errors_is_left_out() -> None:
    code, sentence = reason(ValueError("password=hunter2"))
    assert code == "ValueError"
    assert "hunter2" not in sentence


@pytest.mark.parametrize("odd", ["3", -1, None, [], 2.5])
def test_an_odd_count_of_attempts_counts_as_none(odd: object) -> None:
    assert delivery(odd).attempts == 0


def test_the_first_routing_key_is_kept_through_retries() -> None:
    message = SimpleNamespace(
        body="text",
        properties={"application_headers": {"x-breakwater-routing-key": "artifact.pushed.p"}, "reply_to": "x"},
        delivery_info={"delivery_tag": 7, "routing_key": "audit"},
    )
    read = Delivery.of(message)
    assert (read.tag, read.body, read.routing_key) == (7, b"text", "artifact.pushed.p")
    assert read.properties == {}


def test_pauses_double_up_to_a_cap_with_jitter() -> None:
    backoff = Backoff(first=1, cap=8)
    pauses = [backoff.next() for _ in range(2_000)]
    for pause, longest in zip(pauses[:5], (1, 2, 4, 8, 8), strict=True):
        assert longest / 2 <= pause <= longest
    assert max(pauses) <= 8
    assert len(set(pauses[10:20])) == 10
    backoff.reset()
    assert backoff.next() <= 1
