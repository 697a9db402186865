"""Reading robot accounts; their secrets' hashes are in no record."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from services.api.domain.robot import Robot, RobotPermission, Scope
from services.api.errors import NoSuchRobot
from services.api.tables import projects, robots
from shared.auth.principals import PrincipalKind
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(robots.c.id, Kind.INTEGER),
    "name": Field(robots.c.name),
    "description": Field(robots.c.description),
    "disable": Field(robots.c.disabled, Kind.BOOLEAN),
    "duration": Field(robots.c.duration_days, Kind.INTEGER),
    "expires_at": Field(robots.c.expires_at, Kind.TIME),
    "creation_time": Field(robots.c.created_at, Kind.TIME),
    "update_time": Field(robots.c.updated_at, Kind.TIME),
}

_COLUMNS: Final = (
    robots.c.id,
    robots.c.name,
    robots.c.project_id,
    projects.c.name.label("project"),
    robots.c.description,
    robots.c.permissions,
    robots.c.duration_days,
    robots.c.expires_at,
    robots.c.disabled,
    robots.c.creator_kind,
    robots.c.creator_id,
    robots.c.created_at,
    robots.c.updated_at,
)


def find_robot(session: Session, robot_id: int) -> Robot | None:
    """The robot account of this number, of the system or of any project."""
    row = session.execute(_robots().where(robots.c.id == robot_id)).one_or_none()
    return None if row is None else _read(row)


def get_robot(session: Session, robot_id: int) -> Robot:
    """The same. Raises NoSuchRobot."""
    robot = find_robot(session, robot_id)
    if robot is None:
        raise NoSuchRobot
    return robot


def list_robots(session: Session, listing: Listing, *, project_id: int | None) -> Page[Robot]:
    """The robot accounts of a project, or those of the system, by name unless asked otherwise."""
    level = robots.c.project_id.is_(None) if project_id is None else robots.c.project_id == project_id
    statement = (
        _robots()
        .where(level, *conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (robots.c.name.asc(),)))
    )
    return fetch(session, statement, listing, _read)


def stored_permissions(permissions: Iterable[RobotPermission]) -> list[dict[str, object]]:
    """Permissions as they are stored."""
    return [
        {
            "kind": each.scope.value,
            "namespace": each.namespace,
            "access": [{"resource": resource, "action": action} for resource, action in sorted(each.access)],
        }
        for each in permissions
    ]


def _robots() -> Select[Any]:
    return select(*_COLUMNS).outerjoin(projects, projects.c.id == robots.c.project_id)


def _read(row: Row[Any]) -> Robot:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    kind = values["creator_kind"] and PrincipalKind(values["creator_kind"])
    permissions = tuple(map(_permission, values["permissions"]))
    return Robot(**(values | {"creator_kind": kind, "permissions": permissions}))


def _permission(stored: dict[str, Any]) -> RobotPermission:
    return RobotPermission(
        scope=Scope(stored["kind"]),
        namespace=stored["namespace"],
        access=frozenset((access["resource"], access["action"]) for access in stored["access"]),
    )
