"""A figure is a ratio with its two sides: a number alone says as much about the machine as about the program."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Goal(StrEnum):
    """How a ratio is judged."""

    AT_LEAST = "≥"
    """More is better."""
    AT_MOST = "≤"
    """Less is better."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One measured number."""

    what: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{_short(self.value)} {self.unit} {self.what}".strip()


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was measured, against what, and what was asked for; `details` holds everything else worth keeping."""

    name: str
    ours: Side
    against: Side
    goal: Goal = Goal.AT_MOST
    limit: float | None = None
    """None where nothing was asked for."""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return self.ours.value / self.against.value

    @property
    def met(self) -> bool:
        if self.limit is None:
            return True
        return self.ratio >= self.limit if self.goal is Goal.AT_LEAST else self.ratio <= self.limit


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed; 0 of no values."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def show(figures: Sequence[Figure], console: Console) -> None:
    """Prints the table, and below it what else each measurement found."""
    table = Table(title="Breakwater's figures", title_justify="left")
    for heading in ("figure", "measured", "against"):
        table.add_column(heading)
    for heading in ("ratio", "goal"):
        table.add_column(heading, justify="right")
    for figure in figures:
        table.add_row(
            figure.name,
            str(figure.ours),
            str(figure.against),
            f"[{'green' if figure.met else 'red'}]{_short(figure.ratio)}[/]",
            "" if figure.limit is None else f"{figure.goal.value} {_short(figure.limit)}",
        )
    console.print(table)
    for figure in figures:
        if figure.details:
            console.print(f"[bold]{figure.name}[/]", *(f"\n  {key}: {value}" for key, value in figure.details.items()))


def write(figures: Sequence[Figure], path: Path, *, cores_worth: float, small: bool) -> None:
    """Writes the figures and what machine they were taken on, and what its cores were worth at the time."""
    document = {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(), "cores_worth": round(cores_worth, 2), "system": platform.platform(),
            "python": platform.python_version(),
        },
        "load_average": os.getloadavg()[0],
        "small": small,
        "figures": [
            {**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
