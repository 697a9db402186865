"""How policies stand: what is not at the target yet and since when, and what came of the newest execution."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from services.replication.domain.execution import Execution
from services.replication.queries.rows import read_execution

# what is done counts for nothing here, so that this is as quick with a long history; nor does a dry run, which copies
# nothing that could be behind
_STANDINGS: Final = text(
    """
    SELECT p.id AS of_policy, coalesce(c.number, 0) + coalesce(t.number, 0) AS waiting,
           least(c.oldest_at, t.oldest_at, p.behind_since) AS since,
           coalesce(greatest(c.newest_at, t.newest_at), p.behind_since) AS newest_at,
           coalesce(t.number, 0) AS tasks, coalesce(r.number, 0) AS running, e.*
    FROM replication.policies p
    LEFT JOIN LATERAL (
        SELECT count(*) AS number, min(due_at) AS oldest_at, max(due_at) AS newest_at
        FROM replication.changes WHERE policy_id = p.id
    ) c ON true
    LEFT JOIN LATERAL (
        SELECT count(*) AS number, min(o.created_at) AS oldest_at, max(o.created_at) AS newest_at
        FROM replication.tasks o JOIN replication.executions e ON e.id = o.execution_id AND NOT e.dry_run
        WHERE o.policy_id = p.id AND o.state IN ('pending', 'running')
    ) t ON true
    LEFT JOIN (
        SELECT o.policy_id, count(*) AS number
        FROM replication.tasks o JOIN replication.executions e ON e.id = o.execution_id AND NOT e.dry_run
        WHERE o.state = 'running' GROUP BY o.policy_id
    ) r ON r.policy_id = p.id
    LEFT JOIN replication.executions e
        ON e.id = (SELECT max(id) FROM replication.executions WHERE policy_id = p.id)
    WHERE p.id = ANY (:policies)
    """
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """What a policy has not done yet."""

    waiting: int = 0
    """Changes that no run is about yet, and tasks that have not ended, but for those of dry runs."""
    since: datetime | None = None
    """Since when the oldest of it waits, or something that failed is missing; None where nothing does."""
    newest_at: datetime | None = None
    """Since when the newest of it waits."""
    tasks: int = 0
    """Those that have not ended."""
    running: int = 0
    """Those of them that a worker has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A policy's lag, and its newest execution."""

    lag: Lag = Lag()
    last: Execution | None = None
    """None where there never was one."""


def standings_of(session: Session, policy_ids: Collection[int]) -> dict[int, Standing]:
    """How each of these policies stands, in one statement."""
    rows = session.execute(_STANDINGS, {"policies": list(policy_ids)})
    return {row.of_policy: _standing(row) for row in rows}


def lags_of(session: Session, policy_ids: Collection[int]) -> dict[int, Lag]:
    """The lag of each of these policies."""
    return {policy_id: standing.lag for policy_id, standing in standings_of(session, policy_ids).items()}


def _standing(row: Row[Any]) -> Standing:
    lag = Lag(waiting=row.waiting, since=row.since, newest_at=row.newest_at, tasks=row.tasks, running=row.running)
    return Standing(lag=lag, last=read_execution(row) if row.id is not None else None)
