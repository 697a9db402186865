"""Changing the members of a project. Nobody grants a role that holds more than he may do himself."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.holding import hold_project, hold_user
from services.api.domain.member import Member
from services.api.domain.user import User
from services.api.errors import Escalation, MemberExists, NoSuchGroup, NoSuchMember, NoSuchUser
from services.api.queries import member as queries
from services.api.queries.user import find_user, get_user
from services.api.tables import members, user_groups
from shared.auth.roles import Permission, Role, permissions
from shared.events import EventContext, emit
from shared.events.definitions.member import MemberCreated, MemberDeleted, MemberKind, MemberUpdated


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
    refuse_escalation(role, granted)
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


def create_group_member(
    session: Session,
    *,
    project_id: int,
    project: str,
    group_id: int,
    role: Role,
    granted: frozenset[Permission],
    now: datetime,
    context: EventContext,
) -> Member:
    """Give everybody in a group a role, as long as he is in it.

    Raises Escalation, NoSuchProject, NoSuchGroup, MemberExists.
    """
    refuse_escalation(role, granted)
    hold_project(session, project_id)
    group = session.scalar(
        select(user_groups.c.name).where(user_groups.c.id == group_id).with_for_update(read=True, key_share=True)
    )
    if group is None:
        raise NoSuchGroup
    member_id = session.scalar(
        upsert(members)
        .values(project_id=project_id, group_id=group_id, role_id=role, created_at=now, updated_at=now)
        .on_conflict_do_nothing(
            index_elements=[members.c.project_id, members.c.group_id], index_where=members.c.group_id.is_not(None)
        )
        .returning(members.c.id)
    )
    if member_id is None:
        raise MemberExists(f"the group {group} is a member of the project already")
    event = MemberCreated(
        project=project,
        project_id=project_id,
        member_id=member_id,
        member=group,
        kind=MemberKind.GROUP,
        role=role.label,
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
    refuse_escalation(role, granted)
    if role is member.role:
        return
    changed = update(members).where(members.c.id == member.id).values(role_id=role, updated_at=now)
    if session.scalar(changed.returning(members.c.id)) is None:
        raise NoSuchMember
    event = MemberUpdated(
        project=project,
        project_id=member.project_id,
        member_id=member.id,
        member=member.name,
        kind=member.kind,
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
        member=member.name,
        kind=member.kind,
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


def refuse_escalation(role: Role, granted: frozenset[Permission]) -> None:
    """Go on only with a role that holds no more than the caller may do himself. Raises Escalation."""
    if not permissions(role) <= granted:
        raise Escalation(f"you cannot grant the role {role.label}: it holds more rights than you have")
