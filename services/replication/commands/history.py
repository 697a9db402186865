"""What ended long ago is dropped: of each policy the newest runs stay."""

from typing import Any, Final

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

KEPT: Final = 50
"""Runs of one policy that are kept, as in Harbor; those under way do not count."""
AT_ONCE: Final = 200

_DROP: Final = text(
    """
    DELETE FROM replication.executions WHERE id IN (
        SELECT old.id FROM replication.policies p
        CROSS JOIN LATERAL (
            SELECT e.id FROM replication.executions e
            WHERE e.policy_id = p.id AND e.ended_at IS NOT NULL ORDER BY e.id DESC OFFSET :kept
        ) AS old
        LIMIT :most
    )
    """
)


def prune(session: Session, *, kept: int = KEPT) -> int:
    """Drop runs with their tasks, a limited number at once; returns how many."""
    result: Any = session.execute(_DROP, {"kept": kept, "most": AT_ONCE})
    return result.rowcount if isinstance(result, CursorResult) else 0
