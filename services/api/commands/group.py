"""Changing groups of users. Who is in one, only the directory says."""

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.domain.group import GroupType, UserGroup, check_group_name
from services.api.errors import GroupExists, NoSuchGroup
from services.api.queries import group as queries
from services.api.tables import members, user_groups
from shared.events import EventContext, emit
from shared.events.definitions.user_group import UserGroupCreated, UserGroupDeleted, UserGroupUpdated


def create_group(session: Session, name: str, dn: str, *, now: datetime, context: EventContext) -> UserGroup:
    """Make a group of the directory known, by its distinguished name. Raises UnfitGroup, GroupExists."""
    group_id = session.scalar(
        upsert(user_groups)
        .values(name=check_group_name(name), type=GroupType.LDAP, ldap_dn=dn, created_at=now, updated_at=now)
        .on_conflict_do_nothing(index_elements=[func.lower(user_groups.c.ldap_dn)])
        .returning(user_groups.c.id)
    )
    if group_id is None:
        raise GroupExists
    emit(session, UserGroupCreated(group=name, group_id=group_id, ldap_dn=dn), context=context)
    return queries.get_group(session, group_id)


def onboard_group(session: Session, name: str, dn: str, *, now: datetime, context: EventContext) -> UserGroup:
    """The group of the directory, made known where it is not. Raises UnfitGroup."""
    known = queries.find_group(session, dn)
    if known is not None:
        return known
    try:
        return create_group(session, name, dn, now=now, context=context)
    except GroupExists as error:
        known = queries.find_group(session, dn)
        if known is None:
            raise NoSuchGroup from error  # made and deleted by others in between
        return known


def rename_group(session: Session, group_id: int, name: str, *, now: datetime, context: EventContext) -> None:
    """Give a group another name here. Raises UnfitGroup, NoSuchGroup."""
    group = _hold(session, group_id)
    if check_group_name(name) == group.name:
        return
    session.execute(update(user_groups).where(user_groups.c.id == group_id).values(name=name, updated_at=now))
    emit(session, UserGroupUpdated(group=name, group_id=group_id, previous_name=group.name), context=context)


def delete_group(session: Session, group_id: int, *, context: EventContext) -> None:
    """Forget a group; the roles that it gave are gone with it. Raises NoSuchGroup."""
    group = _hold(session, group_id)
    session.execute(delete(members).where(members.c.group_id == group_id))
    session.execute(delete(user_groups).where(user_groups.c.id == group_id))
    emit(session, UserGroupDeleted(group=group.name, group_id=group_id, ldap_dn=group.ldap_dn), context=context)


def _hold(session: Session, group_id: int) -> UserGroup:
    """Whoever makes it a member of a project meanwhile waits, and finds it gone."""
    session.execute(select(user_groups.c.id).where(user_groups.c.id == group_id).with_for_update())
    return queries.get_group(session, group_id)
