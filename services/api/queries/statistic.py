"""The system in numbers, out of the counters that the catalogue keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.queries.project import visible_to
from services.api.tables import memberships, projects, storage_days
from shared.auth.principals import Principal, PrincipalKind

NEARLY_FULL_PERCENT: Final = 85
"""As the event `quota.warned` has it."""
MOST_FULL: Final = 10


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """All that the system holds."""

    projects: int
    repositories: int
    artifacts: int
    bytes: int
    database_bytes: int


def stored(session: Session) -> Stored:
    """By one statement over the projects."""
    row = session.execute(
        select(
            func.count().label("projects"),
            func.coalesce(func.sum(projects.c.repository_count), 0).label("repositories"),
            func.coalesce(func.sum(projects.c.artifact_count), 0).label("artifacts"),
            func.coalesce(func.sum(projects.c.storage_used), 0).label("bytes"),
            func.pg_database_size(func.current_database()).label("database_bytes"),
        ).where(projects.c.deleted_at.is_(None))
    ).one()
    return Stored(**{name: int(number) for name, number in row._mapping.items()})  # noqa: SLF001 - SQLAlchemy's public name for it


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberProject:
    """A project that somebody has a role in."""

    name: str
    created_at: datetime


def member_projects(session: Session, caller: Principal) -> dict[int, MemberProject] | None:
    """The projects that are the caller's, by his role in them; None is all of them, an administrator's."""
    if caller.is_admin:
        return None
    if caller.kind is not PrincipalKind.USER:
        return {}
    mine = select(memberships.c.project_id).where(memberships.c.user_id == caller.id)
    rows = session.execute(
        select(projects.c.id, projects.c.name, projects.c.created_at)
        .where(projects.c.deleted_at.is_(None), projects.c.id.in_(mine))
    )  # fmt: skip
    return {row.id: MemberProject(name=row.name, created_at=row.created_at) for row in rows}


def storage_by_day(
    session: Session, *, since: date, today: date, projects_meant: Sequence[int] | None
) -> dict[date, int]:
    """Bytes held at the end of each day that was sampled, of some projects or, None, of all; of today, as it is now."""
    sampled = (
        select(storage_days.c.day, func.sum(storage_days.c.bytes).label("bytes"))
        .where(storage_days.c.day >= since, storage_days.c.day < today)
        .group_by(storage_days.c.day)
    )
    now = select(func.coalesce(func.sum(projects.c.storage_used), 0)).where(projects.c.deleted_at.is_(None))
    if projects_meant is not None:
        sampled = sampled.where(storage_days.c.project_id.in_(projects_meant))
        now = now.where(projects.c.id.in_(projects_meant))
    found = {row.day: int(row.bytes) for row in session.execute(sampled)}
    return found | {today: int(session.scalar(now) or 0)}


@dataclass(frozen=True, kw_only=True, slots=True)
class NearlyFull:
    """A project that has used much of its quota."""

    name: str
    used: int
    limit: int


def nearly_full(session: Session, projects_meant: Sequence[int] | None) -> list[NearlyFull]:
    """The fullest of some projects or, None, of all, from NEARLY_FULL_PERCENT of their quota on."""
    used, limit = projects.c.storage_used, projects.c.storage_limit
    wanted = select(projects.c.name, used, limit).where(
        projects.c.deleted_at.is_(None), limit > 0, used >= limit / 100.0 * NEARLY_FULL_PERCENT
    )
    if projects_meant is not None:
        wanted = wanted.where(projects.c.id.in_(projects_meant))
    rows = session.execute(wanted.order_by((used * 1.0 / limit).desc(), projects.c.name).limit(MOST_FULL))
    return [NearlyFull(name=row.name, used=row.storage_used, limit=row.storage_limit) for row in rows]
