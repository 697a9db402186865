"""How much each project may have in hand."""

from __future__ import annotations

from collections import Counter

import pytest

from services.webhook.domain.shares import Shares


def begun(shares: Shares, project_id: int, *, quick: bool = False) -> int:
    """Begin as many as are admitted; how many those were."""
    count = 0
    while shares.admits(project_id, quick=quick):
        shares.begin(project_id, quick=quick)
        count += 1
    return count


def test_half_of_the_workers_serve_none_but_the_quick() -> None:
    shares = Shares(256)
    assert begun(shares, 1) == 64
    assert begun(shares, 1, quick=True) == 64
    assert shares.free == 128


@pytest.mark.parametrize("quick", [False, True])
def test_however_many_projects_are_greedy_the_next_finds_a_worker(*, quick: bool) -> None:
    shares = Shares(256)
    taken = [begun(shares, project_id, quick=quick) for project_id in range(1, 7)]
    assert taken[0] == max(taken)
    assert min(taken) >= 1
    assert shares.admits(1_000, quick=quick)
    assert shares.admits(1_000, quick=True)


def test_they_even_out_as_attempts_end() -> None:
    shares = Shares(256)
    in_hand = Counter({project_id: begun(shares, project_id) for project_id in (1, 2, 3)})
    assert in_hand[1] > 2 * in_hand[3]
    for _ in range(100):
        for project_id in (1, 2, 3):
            shares.end(project_id, quick=False)
            in_hand[project_id] -= 1
        while admitted := [each for each in (1, 2, 3) if shares.admits(each, quick=False)]:
            shares.begin(admitted[0], quick=False)
            in_hand[admitted[0]] += 1
    assert max(in_hand.values()) - min(in_hand.values()) <= 4


def test_what_has_ended_is_free_again() -> None:
    shares = Shares(8)
    for quick in (False, True):
        for _ in range(2):
            shares.begin(7, quick=quick)
    assert (shares.free, list(shares.projects)) == (4, [7])
    planned = shares.copy()
    planned.begin(8, quick=True)
    for quick in (False, True):
        for _ in range(2):
            shares.end(7, quick=quick)
    assert (shares.free, list(shares.projects), planned.free) == (8, [], 3)
    assert begun(shares, 7) == 2
