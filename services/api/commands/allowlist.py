"""Changing an allowlist of vulnerabilities, the system's or a project's, always as a whole."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.domain.allowlist import Tolerated, check_tolerated
from services.api.queries.allowlist import get_allowlist, own_allowlist
from services.api.tables import cve_allowlist, project_allowlists
from shared.events import EventContext, emit
from shared.events.definitions.configuration import ConfigurationUpdated


def replace_allowlist(session: Session, wanted: Tolerated, *, now: datetime, context: EventContext) -> None:
    """Put another list in the place of the system's. Raises BadRequest."""
    checked = check_tolerated(wanted)
    if checked == get_allowlist(session, for_change=True).tolerated:
        return
    values = {"cves": list(checked.cves), "expires_at": checked.expires_at, "updated_at": now}
    session.execute(update(cve_allowlist).values(values))
    emit(session, ConfigurationUpdated(changed=("cve_allowlist",)), context=context)


def keep_for_project(session: Session, project_id: int, wanted: Tolerated, *, now: datetime) -> bool:
    """Put a list that was checked in the place of a project's own; tell whether that changes what it tolerates.

    The caller holds the project's row, and tells of the change.
    """
    present = own_allowlist(session, project_id)
    if wanted == (Tolerated() if present is None else present.tolerated):
        return False
    values = {"cves": list(wanted.cves), "expires_at": wanted.expires_at, "updated_at": now}
    session.execute(
        upsert(project_allowlists)
        .values(project_id=project_id, created_at=now, **values)
        .on_conflict_do_update(index_elements=[project_allowlists.c.project_id], set_=values)
    )
    return True
