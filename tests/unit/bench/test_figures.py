from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests.bench.figures import Figure, Goal, Side, percentile, show, write

if TYPE_CHECKING:
    from pathlib import Path


def figure(*, ours: float, against: float, goal: Goal, limit: float) -> Figure:
    return Figure(
        name="pull", ours=Side(what="ours", value=ours, unit="s"), against=Side(what="bare", value=against, unit="s"),
        goal=goal, limit=limit, details={"all runs": "1/2"},
    )


@pytest.mark.parametrize(
    ("ours", "goal", "met"),
    [(1.2, Goal.AT_MOST, False), (1.1, Goal.AT_MOST, True), (1.2, Goal.AT_LEAST, True), (1.1, Goal.AT_LEAST, False)],
)
def test_a_goal_is_met_on_its_side_of_the_limit(ours: float, goal: Goal, met: bool) -> None:  # noqa: FBT001 - a table
    assert figure(ours=ours, against=1.0, goal=goal, limit=1.15).met is met


def test_a_figure_of_which_nothing_was_asked_is_shown_without_a_goal() -> None:
    free = Figure(name="cost", ours=Side(what="ours", value=2, unit="ms"), against=Side(what="a", value=4, unit="ms"))
    out = io.StringIO()
    show([free], Console(file=out, width=120))
    assert free.met
    assert "≤" not in out.getvalue()


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value


def test_no_values_have_a_percentile_of_nothing() -> None:
    assert percentile([], 0.99) == 0


def test_the_table_shows_both_sides_the_ratio_and_the_goal() -> None:
    out = io.StringIO()
    show([figure(ours=2.3, against=2.0, goal=Goal.AT_MOST, limit=1.15)], Console(file=out, width=120))
    for shown in ("2.3 s ours", "2 s bare", "1.15", "≤ 1.15", "all runs: 1/2"):
        assert shown in out.getvalue()


def test_the_file_holds_every_side_and_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "figures.json"
    write([figure(ours=2.3, against=2.0, goal=Goal.AT_MOST, limit=1.15)], path, cores_worth=1.5, small=True)
    document = json.loads(path.read_text())
    assert document["machine"]["cores"]
    assert document["small"] is True
    (kept,) = document["figures"]
    assert kept["ours"]["value"] == 2.3
    assert kept["against"]["unit"] == "s"
    assert kept["met"] is True
