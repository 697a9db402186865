"""Keeping a project or an account from being deleted while something is hung on it.

A deletion locks its row FOR UPDATE before it looks at what hangs there. Whoever hangs something on first takes the lock
of a foreign key: a deletion that has begun is waited for, and then nothing is found; one that begins later waits, and
sees. Pushes, and changes of the row itself, do not wait for it.
"""

from collections.abc import Collection

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from services.api.errors import NoSuchProject, NoSuchUser
from services.api.tables import projects, users


def hold_project(session: Session, project_id: int) -> None:
    """The project stays until the transaction ends. Raises NoSuchProject."""
    if not _hold(session, projects, project_id):
        raise NoSuchProject


def hold_projects(session: Session, names: Collection[str]) -> None:
    """The same for several, by name. Raises NoSuchProject with the first that is not there."""
    held = session.scalars(
        select(projects.c.name)
        .where(projects.c.name.in_(sorted(names)), projects.c.deleted_at.is_(None))
        .order_by(projects.c.id)
        .with_for_update(read=True, key_share=True)
    )
    missing = set(names) - set(held)
    if missing:
        raise NoSuchProject(f"the project {min(missing)[:80]!r} does not exist")


def hold_user(session: Session, user_id: int) -> None:
    """The account stays until the transaction ends. Raises NoSuchUser."""
    if not _hold(session, users, user_id):
        raise NoSuchUser


def _hold(session: Session, table: Table, row_id: int) -> bool:
    found = select(table.c.id).where(table.c.id == row_id, table.c.deleted_at.is_(None))
    return session.scalar(found.with_for_update(read=True, key_share=True)) is not None
