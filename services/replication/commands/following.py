"""Live progress: of every run that got further since, how far it is, how fast it goes and when it may end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from services.replication.commands.telling import tell_progressed
from services.replication.domain.execution import ExecutionState
from services.replication.queries.execution import progress_of
from services.replication.queries.rows import read_execution
from services.replication.tables import executions
from shared.events import EventContext

_ONE_TELLS: Final = text("SELECT pg_try_advisory_xact_lock(7302022)")
_SMOOTHING: Final = 0.5
"""How much of a rate is its newest measurement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A run as it was told of last."""

    at: datetime
    ended: int
    done: int
    rate: float


def tell_progress(
    session: Session, seen: dict[int, Seen], *, now: datetime, context: EventContext
) -> dict[int, Seen]:
    """Tell of the runs that got further; returns what was seen, to be given back next time."""
    if session.scalar(_ONE_TELLS) is not True:
        return seen
    running = [
        read_execution(row)
        for row in session.execute(select(executions).where(executions.c.state == ExecutionState.RUNNING))
    ]
    progress = progress_of(session, [each.id for each in running])
    fresh: dict[int, Seen] = {}
    for execution in running:
        reached, before = progress[execution.id], seen.get(execution.id)
        ended = execution.total - execution.in_progress
        if before is None:
            fresh[execution.id] = Seen(at=now, ended=ended, done=reached.bytes_done, rate=0.0)
            continue
        if (before.ended, before.done) == (ended, reached.bytes_done):
            fresh[execution.id] = before
            continue
        measured = (reached.bytes_done - before.done) / max((now - before.at).total_seconds(), 0.001)
        rate = measured if not before.rate else before.rate + _SMOOTHING * (measured - before.rate)
        left = reached.bytes_total - reached.bytes_done
        tell_progressed(
            session,
            execution,
            bytes_per_second=round(rate),
            eta_seconds=round(left / rate) if rate > 0 else None,
            context=context,
        )
        fresh[execution.id] = Seen(at=now, ended=ended, done=reached.bytes_done, rate=rate)
    return fresh
