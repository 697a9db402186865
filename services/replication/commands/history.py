"""What ended long ago is dropped: of each policy the newest runs stay, as many as the configuration says."""

from typing import Any, Final

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

AT_ONCE: Final = 200

_DROP: Final = text(
    """
    DELETE FROM replication.executions WHERE id IN (
        SELECT old.id FROM replication.policies p
        CROSS JOIN LATERAL (
            SELECT e.id FROM replication.executions e
            WHERE e.policy_id = p.id AND e.ended_at IS NOT NULL
            ORDER BY e.id DESC OFFSET (SELECT kept FROM directory.replication_history)
        ) AS old
        LIMIT :most
    )
    """
)


def prune(session: Session) -> int:
    """Drop runs with their tasks, a limited number at once; returns how many. Those under way do not count."""
    result: Any = session.execute(_DROP, {"most": AT_ONCE})
    return result.rowcount if isinstance(result, CursorResult) else 0
