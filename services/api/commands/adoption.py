"""Taking a registry's storage over that was filled without Breakwater: which projects it needs, and making them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.commands.project import create_project
from services.api.domain.project import NewProject
from services.api.domain.user import FIRST_ADMIN
from services.api.tables import projects
from shared.auth.principals import Principal, PrincipalKind
from shared.events import EventContext
from shared.names import InvalidName, ProjectName, RepositoryName


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What a storage holds, by project."""

    known: tuple[str, ...]
    """Repositories whose project there is."""
    missing: dict[str, int]
    """Projects that there are not, with how many repositories each would have."""
    nameless: tuple[str, ...]
    """Repositories whose name is none here: they have no project in it, or break its grammar."""


def survey(session: Session, names: Iterable[str]) -> Survey:
    """Sort a registry's repositories by whether they have a place."""
    existing = set(session.scalars(select(projects.c.name).where(projects.c.deleted_at.is_(None))))
    known: list[str] = []
    nameless: list[str] = []
    missing: Counter[str] = Counter()
    for name in names:
        try:
            project = ProjectName.parse(RepositoryName.parse(name).project).text
        except InvalidName:
            nameless.append(name)
            continue
        if project in existing:
            known.append(name)
        else:
            missing[project] += 1
    return Survey(known=tuple(known), missing=dict(sorted(missing.items())), nameless=tuple(nameless))


def create_missing(
    session: Session,
    names: Sequence[str],
    *,
    public: bool,
    now: datetime,
    token_lifetime: timedelta,
    leeway: timedelta,
    context: EventContext,
) -> None:
    """Make the projects that a storage needs; the first administrator owns them. Raises ProjectExists."""
    owner = Principal(kind=PrincipalKind.USER, id=FIRST_ADMIN, name="admin", is_admin=True)
    for name in names:
        new = NewProject(name=name, metadata={"public": str(public).lower()})
        create_project(
            session, new, creator=owner, now=now, token_lifetime=token_lifetime, leeway=leeway, context=context
        )
