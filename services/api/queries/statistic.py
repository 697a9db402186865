"""The system in numbers, out of the counters that the catalogue keeps."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.queries.project import visible_to
from services.api.tables import projects
from shared.auth.principals import Principal


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistic:
    """Projects and repositories that somebody may see; the storage is told to administrators alone."""

    public_projects: int
    private_projects: int
    public_repositories: int
    private_repositories: int
    storage: int


def statistic(session: Session, caller: Principal) -> Statistic:
    """Counts over what the caller may see, by one statement over the projects."""
    repositories = func.coalesce(func.sum(projects.c.repository_count).filter(projects.c.public), 0)
    hidden = func.coalesce(func.sum(projects.c.repository_count).filter(~projects.c.public), 0)
    row = session.execute(
        select(
            func.count().filter(projects.c.public),
            func.count().filter(~projects.c.public),
            repositories,
            hidden,
            func.coalesce(func.sum(projects.c.storage_used), 0),
        ).where(projects.c.deleted_at.is_(None), visible_to(caller))
    ).one()
    return Statistic(
        public_projects=int(row[0]),
        private_projects=int(row[1]),
        public_repositories=int(row[2]),
        private_repositories=int(row[3]),
        storage=int(row[4]) if caller.is_admin else 0,
    )
