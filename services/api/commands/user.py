"""Changing users. What a password was or is never leaves this module; the last administrator stays."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.api.domain.user import (
    FIRST_ADMIN,
    NewUser,
    Profile,
    Source,
    User,
    check_password,
    check_username,
    retired,
)
from services.api.errors import LastAdministrator, NotOurs, UnfitUser, UserExists
from services.api.queries import user as queries
from services.api.tables import members, user_group_members, users
from shared.auth.passwords import hash_password, verify_password
from shared.errors import Forbidden
from shared.events import EventContext, emit
from shared.events.definitions.user import UserCreated, UserDeleted, UserPasswordChanged, UserUpdated
from shared.secrets import Secret


def create_user(session: Session, new: NewUser, *, now: datetime, context: EventContext) -> User:
    """Make an account of the database. Raises UnfitUser, and UserExists where name or address is taken."""
    username = check_username(new.username)
    profile = new.profile.checked()
    password = check_password(new.password)
    user_id = session.scalar(
        upsert(users)
        .values(
            username=username,
            email=profile.email,
            realname=profile.realname,
            comment=profile.comment,
            source=Source.DATABASE,
            password_hash=hash_password(password.reveal()),
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing()
        .returning(users.c.id)
    )
    if user_id is None:
        raise UserExists
    emit(session, UserCreated(username=username, user_id=user_id), context=context)
    return queries.get_user(session, user_id)


def update_profile(
    session: Session,
    user_id: int,
    profile: Profile,
    *,
    of_administrators: bool,
    now: datetime,
    context: EventContext,
) -> None:
    """Change address, real name and comment; those of a system administrator only where the caller says he may.

    Raises NoSuchUser, NotOurs, UnfitUser, UserExists, Forbidden.
    """
    user = _own(session, user_id)
    _refuse_administrator(user, allowed=of_administrators)
    wanted = profile.checked()
    changed = tuple(
        name for name in ("email", "realname", "comment") if getattr(wanted, name) != getattr(user, name)
    )
    if not changed:
        return
    try:
        session.execute(
            update(users)
            .where(users.c.id == user_id)
            .values(email=wanted.email, realname=wanted.realname, comment=wanted.comment, updated_at=now)
        )
    except IntegrityError as error:
        raise UserExists from error
    event = UserUpdated(username=user.username, user_id=user_id, changed=changed, admin=user.sysadmin)
    emit(session, event, context=context)


def set_sysadmin(session: Session, user_id: int, *, flag: bool, now: datetime, context: EventContext) -> None:
    """Make somebody a system administrator, or no longer one. Raises NoSuchUser, LastAdministrator."""
    if not flag:
        _keep_an_administrator(session, user_id)
    user = _locked(session, user_id)
    if user.sysadmin == flag:
        return
    session.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(sysadmin=flag, credential_version=users.c.credential_version + 1, updated_at=now)
    )
    event = UserUpdated(username=user.username, user_id=user_id, changed=("sysadmin_flag",), admin=flag)
    emit(session, event, context=context)


def set_disabled(session: Session, user_id: int, *, flag: bool, now: datetime, context: EventContext) -> None:
    """Shut an account out at once, or let it in again; refresh tokens of before stay void.

    Raises NoSuchUser, LastAdministrator.
    """
    if flag:
        _keep_an_administrator(session, user_id)
    user = _locked(session, user_id)
    if user.disabled == flag:
        return
    session.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(disabled=flag, credential_version=users.c.credential_version + 1, updated_at=now)
    )
    event = UserUpdated(
        username=user.username, user_id=user_id, changed=("disabled",), admin=user.sysadmin, disabled=flag
    )
    emit(session, event, context=context)


def change_password(
    session: Session, user_id: int, new: Secret, *, old: Secret | None, now: datetime, context: EventContext
) -> None:
    """Set a password; `old` is None where an administrator changes somebody else's.

    Raises NoSuchUser, NotOurs, UnfitUser, and Forbidden where the old password is not right.
    """
    user = _own(session, user_id)
    stored = session.scalar(select(users.c.password_hash).where(users.c.id == user_id))
    if old is not None and not verify_password(stored, old.reveal()):
        raise Forbidden("the current password is not correct")
    check_password(new)
    if verify_password(stored, new.reveal()):
        raise UnfitUser("the new password is the same as the current one")
    session.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(
            password_hash=hash_password(new.reveal()),
            credential_version=users.c.credential_version + 1,
            updated_at=now,
        )
    )
    emit(session, UserPasswordChanged(username=user.username, user_id=user_id), context=context)


def delete_user(
    session: Session, user_id: int, *, of_administrators: bool, now: datetime, context: EventContext
) -> None:
    """Delete an account: its credential and memberships are gone, its name is free, its row stays for the record.

    Raises NoSuchUser, LastAdministrator, and Forbidden for the first administrator, and for any other where the
    caller does not say that he may.
    """
    if user_id == FIRST_ADMIN:
        raise Forbidden("the account admin cannot be deleted")
    _keep_an_administrator(session, user_id)
    user = _locked(session, user_id)
    _refuse_administrator(user, allowed=of_administrators)
    session.execute(delete(members).where(members.c.user_id == user_id))
    session.execute(delete(user_group_members).where(user_group_members.c.user_id == user_id))
    session.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(
            username=retired(user.username, user_id),
            email=retired(user.email, user_id) if user.email else None,
            password_hash=None,
            ldap_dn=None,
            sysadmin=False,
            directory_admin=False,
            credential_version=users.c.credential_version + 1,
            updated_at=now,
            deleted_at=now,
        )
    )
    emit(session, UserDeleted(username=user.username, user_id=user_id), context=context)


def _locked(session: Session, user_id: int) -> User:
    """The account, which nobody else changes or deletes until the end of this transaction."""
    session.execute(select(users.c.id).where(users.c.id == user_id).with_for_update())
    return queries.get_user(session, user_id)


def _refuse_administrator(user: User, *, allowed: bool) -> None:
    if user.sysadmin and not allowed:
        raise Forbidden("only a system administrator may change a system administrator's account")


def _own(session: Session, user_id: int) -> User:
    user = _locked(session, user_id)
    if user.source is not Source.DATABASE:
        raise NotOurs
    return user


def _keep_an_administrator(session: Session, leaving: int) -> None:
    """Two administrators who remove each other at once wait for one another here."""
    active = (
        select(users.c.id)
        .where(users.c.sysadmin, users.c.deleted_at.is_(None), ~users.c.disabled)
        .order_by(users.c.id)
        .with_for_update()
    )
    administrators = set(session.scalars(active))
    if administrators == {leaving}:
        raise LastAdministrator
