"""Changing the system's allowlist of vulnerabilities, always as a whole."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from services.api.domain.allowlist import check_cves, check_expiry
from services.api.queries.allowlist import get_allowlist
from services.api.tables import cve_allowlist
from shared.events import EventContext, emit
from shared.events.definitions.configuration import ConfigurationUpdated


def replace_allowlist(
    session: Session, cves: Iterable[str], *, expires_at: int | None, now: datetime, context: EventContext
) -> None:
    """Put another list in the place of the present one. Raises BadRequest."""
    wanted = (check_cves(cves), check_expiry(expires_at))
    present = get_allowlist(session, for_change=True)
    if wanted == (present.cves, present.expires_at):
        return
    session.execute(update(cve_allowlist).values(cves=list(wanted[0]), expires_at=wanted[1], updated_at=now))
    emit(session, ConfigurationUpdated(changed=("cve_allowlist",)), context=context)
