"""What the processes have told of themselves, and what waits on the way of events, as metrics show it."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

_FIGURES: Final = text("SELECT part, name, labels, value FROM metrics.figures ORDER BY name, part, labels")
_PARTS: Final = text("SELECT part, extract(epoch FROM clock_timestamp() - told_at) AS silent FROM metrics.parts")
_BACKLOG: Final = text("""
    SELECT o.waiting, extract(epoch FROM clock_timestamp() - o.oldest_at) AS waits,
        r.last_sequence, r.published_through, extract(epoch FROM clock_timestamp() - r.oldest_at) AS unpublished
    FROM metrics.outbox o, metrics.relay r
""")
_LAGS: Final = text("""
    SELECT c.part, extract(epoch FROM clock_timestamp() - w.since) AS seconds, w.found
    FROM jsonb_to_recordset(CAST(:consumers AS jsonb)) AS c (part text, handled bigint, types text[]),
        metrics.waiting_since(c.handled, c.types) AS w
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldFigure:
    """A value that a part has told, over all of its processes."""

    part: str
    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What has not reached the broker, and since when the oldest waits: 0 where nothing does."""

    unnumbered: int
    unnumbered_seconds: float
    numbered_through: int
    published_through: int
    unpublished_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a consumer is, and the types of events that are his."""

    part: str
    handled: int
    types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Since when the oldest event waits for a consumer."""

    seconds: float
    is_known: bool
    """False where so many events of others lie in between that none of his was found: it waits no longer than this."""


def told_figures(session: Session) -> list[ToldFigure]:
    """All of them."""
    return [
        ToldFigure(part=row.part, name=row.name, labels=tuple(row.labels), value=row.value)
        for row in session.execute(_FIGURES)
    ]


def silences(session: Session) -> dict[str, float]:
    """Since how many seconds each part that ever spoke has said nothing."""
    return {row.part: float(row.silent) for row in session.execute(_PARTS)}


def backlog(session: Session) -> Backlog:
    """What waits in the outbox, and in the numbered log for the broker."""
    row = session.execute(_BACKLOG).one()
    return Backlog(
        unnumbered=row.waiting,
        unnumbered_seconds=max(0.0, float(row.waits or 0)),
        numbered_through=row.last_sequence,
        published_through=row.published_through,
        unpublished_seconds=max(0.0, float(row.unpublished or 0)),
    )


def waits(session: Session, positions: Collection[Position]) -> Mapping[str, Wait | None]:
    """Of each consumer that has a position; None where nothing that is published waits for him."""
    asked = [{"part": each.part, "handled": each.handled, "types": each.types} for each in positions]
    return {
        row.part: None if row.seconds is None else Wait(seconds=max(0.0, float(row.seconds)), is_known=row.found)
        for row in session.execute(_LAGS, {"consumers": json.dumps(asked)})
    }
