"""What verifying the record found, and asking for it anew; the audit service does it, for it alone has the key."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.audit.tables import checks


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The last verification of a part of the record."""

    scope: str
    """`recent`: the newest links; `all`: every one."""
    asked_at: datetime | None
    """Since when somebody waits for another one."""
    verified_at: datetime | None
    first_link: int
    links: int
    broken: str | None
    """The first link that does not hold, and why."""


def list_checks(session: Session) -> list[Check]:
    """What was found last."""
    return [Check(**row) for row in session.execute(select(checks).order_by(checks.c.scope.desc())).mappings()]


def ask_for_check(session: Session, now: datetime) -> None:
    """Have the newest links verified; whoever asks while another waits, waits with him."""
    session.execute(update(checks).where(checks.c.scope == "recent", checks.c.asked_at.is_(None)).values(asked_at=now))
