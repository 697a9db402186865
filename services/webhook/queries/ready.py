"""Which targets are to be served next: in turn by project, and within a project whoever waits longest."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.webhook.domain.shares import Shares

_NOBODYS: Final = 0
"""No project has this number: what it may, a project may that has nothing in hand."""

_READY: Final = text(
    """
    SELECT t.id, p.project_id, t.quick
    FROM webhook.targets t JOIN webhook.policies p ON p.id = t.policy_id
    WHERE p.enabled AND (SELECT enabled FROM directory.notification)
      AND (t.leased_until IS NULL OR t.leased_until <= :now)
      AND (t.open_until IS NULL OR t.open_until <= :now)
      AND p.project_id <> ALL(CAST(:full AS integer[]))
      AND (t.quick OR (:unproven AND p.project_id <> ALL(CAST(:full_of_unproven AS integer[]))))
      AND EXISTS (SELECT FROM webhook.deliveries d
                  WHERE d.target_id = t.id AND d.state = 'pending' AND d.due_at <= :now)
    ORDER BY row_number() OVER (PARTITION BY p.project_id, t.quick ORDER BY t.served_at NULLS FIRST, t.id),
             t.served_at NULLS FIRST, t.id
    LIMIT :most
    """
)


def ready_targets(session: Session, shares: Shares, *, most: int, now: datetime) -> list[int]:
    """Targets with a delivery that is due, as many as their projects may have in hand beside what they have."""
    asked = {
        "now": now,
        "most": min(most, shares.free),
        "full": [each for each in shares.projects if not shares.admits(each, quick=True)],
        "unproven": shares.admits(_NOBODYS, quick=False),
        "full_of_unproven": [each for each in shares.projects if not shares.admits(each, quick=False)],
    }
    planned, found = shares.copy(), []
    for row in session.execute(_READY, asked).all() if asked["most"] else ():
        if planned.admits(row.project_id, quick=row.quick):
            planned.begin(row.project_id, quick=row.quick)
            found.append(row.id)
    return found
