"""Reading allowlists of vulnerabilities: the system's, and what holds for a project."""

from typing import Any, Final

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from services.api.domain.allowlist import Allowlist
from services.api.domain.project import Project
from services.api.tables import cve_allowlist, project_allowlists

_OWN: Final = select(project_allowlists).where(project_allowlists.c.project_id == bindparam("project_id"))


def get_allowlist(session: Session, *, for_change: bool = False) -> Allowlist:
    """The list; `for_change`, nobody else changes it until the end of this transaction."""
    query = select(cve_allowlist)
    return _read(session.execute(query.with_for_update() if for_change else query).one())


def allowlist_for(session: Session, project: Project) -> Allowlist:
    """What is tolerated in a project: the system's list where its metadata say so, or else its own."""
    if project.reuses_system_allowlist:
        return get_allowlist(session)
    own = own_allowlist(session, project.id)
    if own is not None:
        return own
    return Allowlist(cves=(), expires_at=None, created_at=project.created_at, updated_at=project.created_at)


def own_allowlist(session: Session, project_id: int) -> Allowlist | None:
    """The list that a project was given, if it ever was."""
    row = session.execute(_OWN, {"project_id": project_id}).one_or_none()
    return None if row is None else _read(row)


def _read(row: Row[Any]) -> Allowlist:
    return Allowlist(
        cves=tuple(row.cves), expires_at=row.expires_at, created_at=row.created_at, updated_at=row.updated_at
    )
