"""How much each project holds, kept day by day for the charts of the portal."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Date, delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.api.tables import projects, storage_days

KEPT: Final = timedelta(days=90)


def sample_storage(session: Session, now: datetime) -> None:
    """Note what each project holds today, over what was noted earlier today; forget days long past."""
    held = select(projects.c.id, literal(now.date(), Date), projects.c.storage_used).where(
        projects.c.deleted_at.is_(None)
    )
    noted = insert(storage_days).from_select(["project_id", "day", "bytes"], held)
    session.execute(
        noted.on_conflict_do_update(
            index_elements=[storage_days.c.day, storage_days.c.project_id],
            set_={"bytes": noted.excluded.bytes},
            where=storage_days.c.bytes != noted.excluded.bytes,
        )
    )
    session.execute(delete(storage_days).where(storage_days.c.day < (now - KEPT).date()))
