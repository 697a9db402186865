"""Reading the system's allowlist of vulnerabilities."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.domain.allowlist import Allowlist
from services.api.tables import cve_allowlist


def get_allowlist(session: Session, *, for_change: bool = False) -> Allowlist:
    """The list; `for_change`, nobody else changes it until the end of this transaction."""
    query = select(cve_allowlist)
    row = session.execute(query.with_for_update() if for_change else query).one()
    return Allowlist(
        cves=tuple(row.cves), expires_at=row.expires_at, created_at=row.created_at, updated_at=row.updated_at
    )
