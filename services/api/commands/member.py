"""Changing the members of a project. Nobody grants a role that holds more than he may do himself."""

from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.holding import hold_project, hold_user
from services.api.domain.member import Member
from services.api.domain.user import User
from services.api.errors import Escalation, MemberExists, NoSuchMember, NoSuchUser
from services.api.queries import member as queries
from services.api.queries.user import find_user, get_user
from services.api.tables import members
from shared.auth.roles import Permission, Role, permissions
from shared.events import EventContext, emit
from shared.events.definitions.member import MemberCreated, MemberDeleted, MemberUpdated


def create_member(
    session: Session,
    *,
    project_id: int,
    project: str,
    user: int | str,
    role: Role,
    granted: frozenset[Permission],
    now: datetime,
    context: EventContext,
) -> Member:
    """Give a user, named by number or name, a role; `granted` is what the caller himself may do in the project.

    Raises Escalation, NoSuchProject, NoSuchUser, MemberExists.
    """
    _refuse_escalation(role, granted)
    hold_project(session, project_id)
    account = _account(session, user)
    hold_user(session, account.id)
    member_id = session.scalar(
        upsert(members)
        .values(project_id=project_id, user_id=account.id, role_id=role, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=[members.c.project_id, members.c.user_id])
        .returning(members.c.id)
    )
    if member_id is None:
        raise MemberExists(f"{account.username} is a member of the project already")
    event = MemberCreated(
        project=project, project_id=project_id, member_id=member_id, member=account.username, role=role.label
    )
    emit(session, event, context=context)
    return queries.get_member(session, project_id, member_id)


def update_member(
    session: Session,
    member: Member,
    *,
    project: str,
    role: Role,
    granted: frozenset[Permission],
    now: datetime,
    context: EventContext,
) -> None:
    """Give a member another role. Raises Escalation, NoSuchMember."""
    _refuse_escalation(role, granted)
    if role is member.role:
        return
    changed = update(members).where(members.c.id == member.id).values(role_id=role, updated_at=now)
    if session.scalar(changed.returning(members.c.id)) is None:
        raise NoSuchMember
    event = MemberUpdated(
        project=project,
        project_id=member.project_id,
        member_id=member.id,
        member=member.username,
        role=role.label,
        previous_role=member.role.label,
    )
    emit(session, event, context=context)


def delete_member(session: Session, member: Member, *, project: str, context: EventContext) -> None:
    """Take a member's role away. Raises NoSuchMember where somebody else just did."""
    if session.scalar(delete(members).where(members.c.id == member.id).returning(members.c.id)) is None:
        raise NoSuchMember
    event = MemberDeleted(
        project=project,
        project_id=member.project_id,
        member_id=member.id,
        member=member.username,
        role=member.role.label,
    )
    emit(session, event, context=context)


def _account(session: Session, user: int | str) -> User:
    if isinstance(user, int):
        return get_user(session, user)
    found = find_user(session, user)
    if found is None:
        raise NoSuchUser(f"the user {user[:80]!r} does not exist")
    return found


def _refuse_escalation(role: Role, granted: frozenset[Permission]) -> None:
    if not permissions(role) <= granted:
        raise Escalation(f"you cannot grant the role {role.label}: it holds more rights than you have")
