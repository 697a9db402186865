"""What a minute-old write that nobody told of is judged to be."""

from typing import Any

import pytest

from services.api.domain.judgement import Evidence, Verdict, judge_delete, judge_put
from shared.names import Digest

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


def evidence(**changes: object) -> Evidence:
    facts: dict[str, Any] = {
        "digest": ONE, "by_tag": True, "held": ONE, "exists": True, "known_before": False, "answered": False,
        "told": False,
    }  # fmt: skip
    return Evidence(**(facts | changes))


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, Verdict.HAPPENED),
        ({"known_before": True}, Verdict.HAPPENED),
        ({"held": TWO}, Verdict.HAPPENED),
        ({"held": TWO, "known_before": True}, Verdict.DID_NOT),
        ({"held": TWO, "known_before": True, "answered": True}, Verdict.HAPPENED),
        ({"held": None, "exists": False}, Verdict.DID_NOT),
        ({"held": None, "exists": False, "answered": True}, Verdict.HAPPENED),
        ({"told": True}, Verdict.DID_NOT),
        ({"told": True, "answered": True}, Verdict.HAPPENED),
        ({"by_tag": False}, Verdict.HAPPENED),
        ({"by_tag": False, "known_before": True}, Verdict.DID_NOT),
    ],
)
def test_a_push(facts: dict[str, Any], verdict: Verdict) -> None:
    assert judge_put(evidence(**facts)) is verdict


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"by_tag": False, "held": None, "exists": False}, Verdict.HAPPENED),
        ({"by_tag": False, "held": None, "exists": False, "told": True}, Verdict.DID_NOT),
        ({"by_tag": False}, Verdict.DID_NOT),
        ({"by_tag": False, "answered": True}, Verdict.HAPPENED),
        ({"held": ONE}, Verdict.HALF_DONE),
        ({"held": TWO}, Verdict.DID_NOT),
        ({"held": None, "exists": False}, Verdict.HAPPENED),
        ({"digest": None, "held": None, "exists": False}, Verdict.HAPPENED),
        ({"digest": None, "held": TWO}, Verdict.DID_NOT),
    ],
)
def test_a_deletion(facts: dict[str, Any], verdict: Verdict) -> None:
    assert judge_delete(evidence(**facts)) is verdict
