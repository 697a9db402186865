"""Changing robot accounts. A secret leaves here once, when it is made; nobody hands on rights that he does not have."""

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.holding import hold_project, hold_projects
from services.api.domain.robot import (
    EVERY_PROJECT,
    Level,
    NewRobot,
    Robot,
    RobotChange,
    RobotPermission,
    Scope,
    check_description,
    check_name,
    check_permissions,
    check_secret,
    expiry,
)
from services.api.errors import Escalation, NoSuchRobot, RobotExists
from services.api.queries import configuration
from services.api.queries import robot as queries
from services.api.tables import robots
from shared.auth.passwords import hash_password
from shared.auth.principals import Principal
from shared.auth.roles import Permission
from shared.events import EventContext, emit
from shared.events.definitions.robot import RobotCreated, RobotDeleted, RobotUpdated
from shared.secrets import Secret

Grantable = Callable[[RobotPermission], frozenset[Permission]]
"""What a caller may do in the place of a permission."""


def create_robot(
    session: Session,
    new: NewRobot,
    *,
    project_id: int | None,
    project: str | None,
    creator: Principal,
    grantable: Grantable,
    prefix: str,
    now: datetime,
    context: EventContext,
) -> tuple[Robot, Secret]:
    """Make a robot account of a project, or of the system, and its secret.

    Raises UnfitRobot, Escalation, RobotExists, and NoSuchProject where its own or a named project is not there.
    """
    level = Level.SYSTEM if project_id is None else Level.PROJECT
    name = check_name(new.name)
    permissions = check_permissions(new.permissions, level=level, project=project)
    _refuse_escalation(permissions, grantable)
    secret = new_secret()
    secret_hash = hash_password(secret.reveal())
    _hold(session, project_id, permissions)
    stored_name = name if project is None else f"{project}+{name}"
    robot_id = session.scalar(
        upsert(robots)
        .values(
            name=stored_name,
            project_id=project_id,
            description=check_description(new.description),
            secret_hash=secret_hash,
            permissions=queries.stored_permissions(permissions),
            duration_days=new.duration_days,
            expires_at=expiry(now, new.duration_days),
            disabled=new.disabled,
            creator_kind=creator.kind,
            creator_id=creator.id,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=[robots.c.name])
        .returning(robots.c.id)
    )
    if robot_id is None:
        raise RobotExists(f"a robot account named {name} exists already")
    event = RobotCreated(robot_id=robot_id, robot=prefix + stored_name, project=project, project_id=project_id)
    emit(session, event, context=context)
    return queries.get_robot(session, robot_id), secret


def update_robot(
    session: Session,
    robot: Robot,
    change: RobotChange,
    *,
    grantable: Grantable,
    prefix: str,
    now: datetime,
    context: EventContext,
) -> None:
    """Change rights, end, state or description.

    Raises UnfitRobot, Escalation, NoSuchRobot, and NoSuchProject as `create_robot` does.
    """
    permissions = None if change.permissions is None else check_permissions(
        change.permissions, level=robot.level, project=robot.project
    )
    _hold(session, robot.project_id, permissions or ())
    session.execute(select(robots.c.id).where(robots.c.id == robot.id).with_for_update(key_share=True))
    robot = queries.get_robot(session, robot.id)
    wanted: dict[str, Any] = {}
    if change.description != robot.description:
        wanted["description"] = check_description(change.description)
    if change.disabled != robot.disabled:
        wanted["disabled"] = change.disabled
    if change.duration_days not in {None, robot.duration_days}:
        wanted["duration_days"] = change.duration_days
        wanted["expires_at"] = expiry(robot.created_at, change.duration_days)
    if permissions is not None and set(permissions) != set(robot.permissions):
        _refuse_escalation(permissions, grantable)
        wanted["permissions"] = queries.stored_permissions(permissions)
    if wanted:
        _update(session, robot, wanted, now=now)
        _tell_update(session, robot, sorted(set(wanted) - {"expires_at"}), prefix=prefix, context=context)


def refresh_secret(
    session: Session, robot: Robot, chosen: Secret | None, *, prefix: str, now: datetime, context: EventContext
) -> Secret:
    """Replace the secret by a chosen one, or by a new one; the old one is void at once.

    Raises UnfitUser where the chosen one is too easy, NoSuchRobot.
    """
    secret = new_secret() if chosen is None else check_secret(chosen)
    values = {
        "secret_hash": hash_password(secret.reveal()),
        "credential_version": robots.c.credential_version + 1,
    }
    _update(session, robot, values, now=now)
    _tell_update(session, robot, ["secret"], prefix=prefix, context=context)
    return secret


def delete_robot(session: Session, robot: Robot, *, prefix: str, context: EventContext) -> None:
    """Delete a robot account. Raises NoSuchRobot."""
    if session.scalar(delete(robots).where(robots.c.id == robot.id).returning(robots.c.id)) is None:
        raise NoSuchRobot
    event = RobotDeleted(
        robot_id=robot.id, robot=prefix + robot.name, project=robot.project, project_id=robot.project_id
    )
    emit(session, event, context=context)


def withdraw_rights(session: Session, project: str, *, now: datetime, context: EventContext) -> None:
    """Take a project out of the rights of the system's robot accounts: whatever bears its name later is another one.

    Its deletion has locked its row: no robot account comes to name it meanwhile.
    """
    naming = robots.c.permissions.contains([{"namespace": project}])
    holders = session.scalars(
        select(robots.c.id).where(robots.c.project_id.is_(None), naming).order_by(robots.c.id).with_for_update()
    ).all()
    prefix = str(configuration.value(session, "robot_name_prefix"))
    for robot in [queries.get_robot(session, robot_id) for robot_id in holders]:
        left = [each for each in robot.permissions if each.namespace != project]
        _update(session, robot, {"permissions": queries.stored_permissions(left)}, now=now)
        _tell_update(session, robot, ["permissions"], prefix=prefix, context=context)


def new_secret() -> Secret:
    """A secret that nobody can guess, and that keeps the rule of passwords."""
    return Secret(f"Bw1{secrets.token_urlsafe(30)}")


def _hold(session: Session, project_id: int | None, permissions: Iterable[RobotPermission]) -> None:
    """The projects that a robot account lives in, or has rights in, stay until these are stored."""
    if project_id is not None:
        hold_project(session, project_id)
    else:
        named = {each.namespace for each in permissions if each.scope is Scope.PROJECT}
        hold_projects(session, named - {EVERY_PROJECT})


def _update(session: Session, robot: Robot, values: dict[str, Any], *, now: datetime) -> None:
    changed = update(robots).where(robots.c.id == robot.id).values(**values, updated_at=now).returning(robots.c.id)
    if session.scalar(changed) is None:
        raise NoSuchRobot


def _tell_update(
    session: Session, robot: Robot, changed: Iterable[str], *, prefix: str, context: EventContext
) -> None:
    event = RobotUpdated(
        robot_id=robot.id,
        robot=prefix + robot.name,
        project=robot.project,
        project_id=robot.project_id,
        changed=tuple(changed),
    )
    emit(session, event, context=context)


def _refuse_escalation(permissions: Iterable[RobotPermission], grantable: Grantable) -> None:
    for permission in permissions:
        if not permission.access <= grantable(permission):
            raise Escalation(f"you cannot give a robot account more rights in {permission.namespace} than you have")
