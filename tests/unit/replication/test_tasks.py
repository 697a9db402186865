"""Attempts and what stands between them."""

from datetime import timedelta

import pytest

from services.replication.domain.execution import ExecutionState, outcome_of
from services.replication.domain.task import Fault, pause_before


@pytest.mark.parametrize(("attempt", "seconds"), [(2, 2), (3, 4), (4, 8), (5, 16), (6, 32)])
def test_pauses_double(attempt: int, seconds: int) -> None:
    assert pause_before(attempt, chance=0.5) == timedelta(seconds=seconds)
    assert pause_before(attempt, chance=0.0) == timedelta(seconds=seconds / 2)


def test_pauses_end_at_the_longest_however_often_and_whatever_is_asked() -> None:
    assert pause_before(500, chance=1.0) == timedelta(minutes=5)
    assert pause_before(2, chance=0.5, asked=timedelta(hours=9)) == timedelta(minutes=5)


def test_the_pause_that_the_other_side_asks_for_is_heeded() -> None:
    assert pause_before(2, chance=0.5, asked=timedelta(seconds=30)) == timedelta(seconds=30)


def test_what_cannot_change_by_itself_is_not_tried_again() -> None:
    assert {fault for fault in Fault if not fault.passes} == {Fault.NOT_FOUND, Fault.CONFLICT, Fault.REFUSED}


@pytest.mark.parametrize(
    ("failed", "stopped", "state"),
    [
        (0, 0, ExecutionState.SUCCEEDED),
        (1, 0, ExecutionState.FAILED),
        (1, 5, ExecutionState.FAILED),
        (0, 1, ExecutionState.STOPPED),
    ],
)
def test_a_run_comes_to_the_worst_of_its_tasks(failed: int, stopped: int, state: ExecutionState) -> None:
    assert outcome_of(failed=failed, stopped=stopped) is state
