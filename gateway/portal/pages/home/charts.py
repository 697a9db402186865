"""Bars for days, as numbers that a template draws: the page says the same in a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.portal.rendering import size

WIDTH: Final = 420
HEIGHT: Final = 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 4, 12, 26
_GAP: Final = 0.28
"""The part of a day's room that stays empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar; `kind` is the number of its series."""

    x: float
    y: float
    width: float
    height: float
    kind: int
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """What is drawn."""

    bars: list[Bar]
    lines: list[Label]
    """Heights of the grid, with their value."""
    days: list[Label]
    summary: str
    is_empty: bool


def pulls_and_pushes(days: Sequence[dict[str, Any]]) -> Chart:
    """Two bars a day."""
    pulls, pushes = (sum(day[name] for day in days) for name in ("pulls", "pushes"))
    return _chart(
        days,
        [[day["pulls"] for day in days], [day["pushes"] for day in days]],
        [lambda number: f"{number:,} pulls", lambda number: f"{number:,} pushes"],
        top=_round_up(max((max(day["pulls"], day["pushes"]) for day in days), default=0)),
        said=lambda number: f"{number:,.0f}",
        summary=f"{pulls:,} pulls and {pushes:,} pushes in {len(days)} days",
    )


def storage(days: Sequence[dict[str, Any]]) -> Chart:
    """One bar a day; a day without a sample has none."""
    held = [day.get("storage", 0) for day in days]
    return _chart(
        days, [held], [size], top=float(max(held, default=0)), said=size,
        summary=f"{size(held[-1] if held else 0)} used now",
    )  # fmt: skip


def _chart(
    days: Sequence[dict[str, Any]], series: list[list[int]], titles: list[Callable[[int], str]], *, top: float,
    said: Callable[[float], str], summary: str,
) -> Chart:
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(days))
    width = room * (1 - _GAP) / len(series)
    depth = HEIGHT - _TOP - _BOTTOM
    scale = depth / top if top else 0.0
    bars = [
        Bar(
            x=round(_LEFT + (number + _GAP / 2) * room + kind * width, 1), y=round(_TOP + depth - value * scale, 1),
            width=round(width, 1), height=round(value * scale, 1), kind=kind + 1,
            title=f"{days[number]['day']}: {titles[kind](value)}",
        )
        for kind, values in enumerate(series)
        for number, value in enumerate(values)
        if value
    ]  # fmt: skip
    return Chart(
        bars=bars,
        lines=[
            Label(x=_LEFT, y=round(_TOP + depth * (1 - part), 1), text=said(top * part)) for part in (0, 0.5, 1) if top
        ],
        days=[
            Label(x=round(_LEFT + (number + 0.5) * room, 1), y=HEIGHT - 8, text=day["day"][5:])
            for number, day in enumerate(days)
            if (len(days) - 1 - number) % 3 == 0
        ],
        summary=summary,
        is_empty=not bars,
    )


def _round_up(number: int) -> float:
    """The next number of two halves that people read easily: 2, 4, 10, 20, 40, 100 and so on."""
    step = 1
    while True:
        for factor in (2, 4, 10):
            if number <= factor * step:
                return float(factor * step)
        step *= 10
