"""Making and deleting projects; what is changed in between is metadata."""

from datetime import datetime, timedelta

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.allowlist import keep_for_project
from services.api.commands.expectation import is_pushed_to
from services.api.commands.retention import forget_policy
from services.api.commands.robot import withdraw_rights
from services.api.domain.allowlist import check_tolerated
from services.api.domain.project import (
    NewProject,
    Project,
    check_metadata,
    check_storage_limit,
    reserved_until,
)
from services.api.domain.user import FIRST_ADMIN
from services.api.errors import ProjectExists, ProjectNotEmpty
from services.api.queries import project as queries
from services.api.tables import immutable_rules, labels, members, project_allowlists, projects, repositories, robots
from shared.auth.principals import Principal, PrincipalKind
from shared.auth.roles import Role
from shared.events import EventContext, emit
from shared.events.definitions.project import ProjectCreated, ProjectDeleted
from shared.names import ProjectName


def create_project(
    session: Session,
    new: NewProject,
    *,
    creator: Principal,
    now: datetime,
    token_lifetime: timedelta,
    leeway: timedelta,
    context: EventContext,
) -> Project:
    """Make a project; the user who creates it becomes its project administrator.

    A robot's project belongs to the first administrator. Raises InvalidName, BadRequest, and ProjectExists where the
    name is taken or still reserved.
    """
    name = ProjectName.parse(new.name).text
    owner_id = creator.id if creator.kind is PrincipalKind.USER and creator.id else FIRST_ADMIN
    metadata, allowlist = check_metadata(new.metadata), check_tolerated(new.allowlist)
    public = metadata.pop("public", "false") == "true"
    project_id = session.scalar(
        upsert(projects)
        .values(
            name=name,
            owner_id=owner_id,
            public=public,
            metadata=metadata,
            storage_limit=check_storage_limit(new.storage_limit),
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=[projects.c.name], index_where=projects.c.deleted_at.is_(None))
        .returning(projects.c.id)
    )
    if project_id is None:
        raise ProjectExists(f"the project {name} exists already")
    _refuse_reserved(session, name, now=now, token_lifetime=token_lifetime, leeway=leeway)
    session.execute(
        insert(members).values(
            project_id=project_id, user_id=owner_id, role_id=Role.PROJECT_ADMIN, created_at=now, updated_at=now
        )
    )
    keep_for_project(session, project_id, allowlist, now=now)
    emit(session, ProjectCreated(project=name, project_id=project_id, public=public), context=context)
    return queries.get_project(session, project_id)


def delete_project(session: Session, project_id: int, *, now: datetime, context: EventContext) -> None:
    """Delete an empty project; its row stays as a tombstone.

    Its members, robot accounts, labels, rules, allowlist and retention policy go with it, and the rights in it that
    robot accounts of the system have.
    Raises NoSuchProject, and ProjectNotEmpty where it has repositories or something is being pushed to it.
    """
    session.execute(select(projects.c.id).where(projects.c.id == project_id).with_for_update())
    project = queries.get_project(session, project_id)
    if session.scalar(select(exists().where(repositories.c.project_id == project_id))):
        raise ProjectNotEmpty(f"the project {project.name} still has repositories: delete them first")
    if is_pushed_to(session, project.name):
        raise ProjectNotEmpty(f"something is being pushed to the project {project.name}: try again in a moment")
    session.execute(delete(members).where(members.c.project_id == project_id))
    session.execute(delete(immutable_rules).where(immutable_rules.c.project_id == project_id))
    session.execute(delete(project_allowlists).where(project_allowlists.c.project_id == project_id))
    forget_policy(session, project_id)
    session.execute(delete(robots).where(robots.c.project_id == project_id))
    session.execute(delete(labels).where(labels.c.project_id == project_id))
    withdraw_rights(session, project.name, now=now, context=context)
    session.execute(update(projects).where(projects.c.id == project_id).values(deleted_at=now, updated_at=now))
    emit(session, ProjectDeleted(project=project.name, project_id=project_id), context=context)


def _refuse_reserved(
    session: Session, name: str, *, now: datetime, token_lifetime: timedelta, leeway: timedelta
) -> None:
    """Asked after the insert: one that waited for a deletion to commit has to see it."""
    deleted_at = queries.last_deleted(session, name)
    if deleted_at is None:
        return
    until = reserved_until(deleted_at, token_lifetime=token_lifetime, leeway=leeway)
    if now < until:
        raise ProjectExists(
            f"the name {name} is reserved until {until:%Y-%m-%dT%H:%M:%SZ}, "
            "when the last token of the deleted project has expired"
        )
