"""What the engine has to do by itself at this moment, in one question: it is asked twice a second, for ever."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.replication.domain.task import MOST_ATTEMPTS

_DUE: Final = text(
    """
    SELECT
        (SELECT min(due_at) FROM replication.changes) AS change_at,
        EXISTS (SELECT FROM replication.policies WHERE enabled AND next_at <= :now) AS scheduled,
        EXISTS (SELECT FROM replication.policies WHERE enabled AND heal_at <= :now) AS healing,
        EXISTS (SELECT FROM replication.executions WHERE state = 'preparing' AND due_at <= :now) AS preparing,
        EXISTS (SELECT FROM replication.registries WHERE due_at <= :now) AS checks,
        EXISTS (SELECT FROM replication.tasks o WHERE o.state = 'running' AND NOT EXISTS (
            SELECT FROM replication.pools p WHERE p.id = o.worker AND p.heartbeat_at > now() - CAST(:lost AS interval)
        )) AS lost,
        EXISTS (SELECT FROM replication.executions e WHERE e.state = 'running' AND EXISTS (
            SELECT FROM replication.tasks t
            WHERE t.execution_id = e.id AND t.state = 'pending' AND (e.stopping OR t.attempts > :most)
        )) AS left_over
    """
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What there is to do."""

    change_at: datetime | None
    """When the next change is to be acted on."""
    scheduled: bool
    healing: bool
    preparing: bool
    checks: bool
    lost: bool
    """Workers do not beat any more that held something."""
    left_over: bool
    """Tasks that nobody will take any more."""


def what_is_due(session: Session, *, lost: timedelta, now: datetime) -> Due:
    """Ask."""
    row = session.execute(
        _DUE, {"now": now, "lost": f"{lost.total_seconds()} seconds", "most": MOST_ATTEMPTS}
    ).one()
    return Due(
        change_at=row.change_at,
        scheduled=row.scheduled,
        healing=row.healing,
        preparing=row.preparing,
        checks=row.checks,
        lost=row.lost,
        left_over=row.left_over,
    )
