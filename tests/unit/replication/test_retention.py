"""Whose the retention policy of a target is, and what of it is its meaning."""

from __future__ import annotations

from typing import Any

import pytest

from services.replication.domain.retention import (
    NOTHING,
    Mark,
    Placed,
    Retention,
    Whose,
    stored_retention,
    told_retention,
    whose,
)
from tests.clients.retaining import rule

FIRST = Retention(rules=(rule(number=1),))
SECOND = Retention(rules=(rule(number=2),))
THIRD = Retention(rules=(rule(number=3),), cron="0 0 2 * * *")


def mark(**more: Any) -> Mark:  # noqa: ANN401
    return Mark(project_id=7, **more)


def there(number: int | None = None, retention: Retention = NOTHING, project_id: int = 7) -> Placed:
    return Placed(project_id=project_id, number=number, retention=retention)


STANDINGS = {
    "nothing anywhere": (Mark(), there(), Whose.NOBODYS),
    "made before us": (Mark(), there(5, FIRST), Whose.ANOTHERS),
    "empty, and made before us": (Mark(), there(5), Whose.ANOTHERS),
    "as we left it": (mark(number=5, carried=FIRST), there(5, FIRST), Whose.OURS),
    "changed since": (mark(number=5, carried=FIRST), there(5, SECOND), Whose.CHANGED),
    "emptied since": (mark(number=5, carried=FIRST), there(5), Whose.CHANGED),
    "deleted since": (mark(number=5, carried=FIRST), there(), Whose.REMOVED),
    "deleted and made anew by somebody": (mark(number=5, carried=FIRST), there(6, FIRST), Whose.ANOTHERS),
    "broken off before it was made": (mark(intended=FIRST), there(), Whose.NOBODYS),
    "broken off before its number was known": (mark(intended=FIRST), there(5, FIRST), Whose.OURS),
    "broken off, and somebody was quicker": (mark(intended=FIRST), there(5, SECOND), Whose.ANOTHERS),
    "broken off before a change arrived": (mark(number=5, carried=FIRST, intended=SECOND), there(5, FIRST), Whose.OURS),
    "broken off after it arrived": (mark(number=5, carried=FIRST, intended=SECOND), there(5, SECOND), Whose.OURS),
    "broken off, and changed by somebody": (
        mark(number=5, carried=FIRST, intended=SECOND), there(5, THIRD), Whose.CHANGED
    ),
    "in a project made anew": (mark(number=5, carried=FIRST), there(project_id=8), Whose.NOBODYS),
    "made by somebody in a project made anew": (
        mark(number=5, carried=FIRST), there(5, FIRST, project_id=8), Whose.ANOTHERS
    ),
}  # fmt: skip


@pytest.mark.parametrize(("known", "found", "told"), STANDINGS.values(), ids=STANDINGS)
def test_what_is_there_is_ours_only_as_we_left_it_or_meant_to(known: Mark, found: Placed, told: Whose) -> None:
    assert whose(known, found) is told


def test_what_is_stored_is_read_as_it_was() -> None:
    assert stored_retention(THIRD.stored()) == THIRD
    assert stored_retention(NOTHING.stored()) == NOTHING


def test_what_a_harbor_adds_changes_no_meaning() -> None:
    told = {
        "id": 9,
        "rules": [{"id": 0, **rule(number=3)} | {"tag_selectors": [
            {"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": '{ "untagged" : true }'},
        ]}],
        "trigger": {"kind": "Schedule", "settings": {"cron": "0 0 2 * * *", "next_scheduled_time": "soon"}},
    }  # fmt: skip
    assert told_retention(told) == stored_retention(THIRD.stored())


@pytest.mark.parametrize(
    "change",
    [
        {"disabled": True}, {"priority": 1}, {"template": "latestPulledN"}, {"params": {"latestPushedK": 4}},
        {"tag_selectors": []}, {"scope_selectors": {}},
    ],
)  # fmt: skip
def test_what_says_something_else_is_told_apart(change: dict[str, Any]) -> None:
    assert told_retention({"rules": [rule() | change]}) != told_retention({"rules": [rule()]})


@pytest.mark.parametrize("told", [{}, {"rules": None, "trigger": None}, {"rules": ["x"], "trigger": {"settings": 1}}])
def test_what_is_of_no_known_form_is_no_rule(told: dict[str, Any]) -> None:
    assert told_retention(told) == NOTHING
