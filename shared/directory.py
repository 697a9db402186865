"""What several parts may know of principals and projects: named queries on the read-only schema `directory`.

They take a plain psycopg connection, because the token mount asks one of them for every token; `plain(session)`
gives the connection under a Session. Nothing here writes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final, Generic, Self, TypeVar

import psycopg
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.auth.principals import Principal, PrincipalKind, RobotGrant
from shared.auth.roles import EVERYTHING, PUBLIC, Permission, Role, permissions_of
from shared.db import unavailable_when_down

Connection = psycopg.Connection[Any]
Source = Connection | psycopg.Cursor[Any]
"""What can be asked: a connection, or one of its cursors, which a hot path keeps. Rows come as tuples."""
Lender = Callable[[], AbstractContextManager[Connection]]
"""Lends a connection in autocommit mode for a moment. Raises Unavailable where the database does not answer."""

ROBOT_PREFIX: Final = "robot$"
"""The default of the configuration key `robot_name_prefix`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person's account, as far as login and rights need it."""

    id: int
    name: str
    source: str
    """`database` or `ldap`."""
    is_admin: bool
    disabled: bool
    credential_version: int
    password_hash: str | None = field(default=None, repr=False)

    @property
    def principal(self) -> Principal:
        """The account as somebody who acts."""
        return Principal(
            kind=PrincipalKind.USER,
            id=self.id,
            name=self.name,
            is_admin=self.is_admin,
            credential_version=self.credential_version,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Robot:
    """A robot account, as far as login and rights need it."""

    id: int
    name: str
    """As stored, without the prefix: `library+ci`, or a plain word at system level."""
    project_id: int | None
    grants: tuple[RobotGrant, ...]
    expires_at: datetime | None
    disabled: bool
    credential_version: int
    secret_hash: str = field(default="", repr=False)

    def principal(self, prefix: str = ROBOT_PREFIX) -> Principal:
        """The account as somebody who acts, under its full name."""
        return Principal(
            kind=PrincipalKind.ROBOT,
            id=self.id,
            name=prefix + self.name,
            credential_version=self.credential_version,
            robot_grants=self.grants,
        )

    def is_active(self, now: datetime) -> bool:
        """Whether the account may act at this time."""
        return not self.disabled and not self.is_expired(now)

    def is_expired(self, now: datetime) -> bool:
        """Whether the account's time is over."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectRights:
    """What a project is to one principal."""

    name: str
    project_id: int | None = None
    public: bool = False
    full: bool = False
    """Whether its storage quota is used up: nothing can be pushed."""
    roles: frozenset[Role] = frozenset()

    @property
    def exists(self) -> bool:
        """Whether there is such a project; a deleted one counts as none."""
        return self.project_id is not None

    @classmethod
    def absent(cls, name: str) -> Self:
        """A project that does not exist."""
        return cls(name=name)


_Account = TypeVar("_Account", User, Robot)
Asked = tuple[int, Sequence[str]]
"""The number of an account, and the names of projects."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found(Generic[_Account]):
    """An account as it is at this moment, and what the projects that were asked for are to it."""

    account: _Account
    rights: dict[str, ProjectRights]
    read_only: bool
    """Whether an administrator has stopped all changes."""


_USER: Final = """
    SELECT id, username, source, sysadmin, disabled, credential_version, password_hash
    FROM directory.users WHERE username_key = lower(%s)
"""
_USER_BY_ID: Final = """
    SELECT id, username, source, sysadmin, disabled, credential_version, password_hash
    FROM directory.users WHERE id = %s
"""
# For many at once: every LATERAL is a lookup by index, and OFFSET 0 keeps it one, since the planner does not know how
# short the list is. Only who comes from a directory is in groups.
_USERS_WITH_RIGHTS: Final = """
    SELECT asked.place, (SELECT value = 'true' FROM directory.configuration WHERE key = 'read_only'),
           p.name, p.id, p.public, p.is_full, m.role_id,
           u.id, u.username, u.source, u.sysadmin, u.disabled, u.credential_version, NULL
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS asked (place, id, project)
    JOIN LATERAL (SELECT * FROM directory.users WHERE id = asked.id OFFSET 0) u ON true
    LEFT JOIN LATERAL (SELECT * FROM directory.projects WHERE name = asked.project OFFSET 0) p ON true
    LEFT JOIN LATERAL (
        SELECT role_id FROM directory.own_memberships WHERE project_id = p.id AND user_id = u.id
        UNION ALL
        SELECT role_id FROM directory.group_memberships
        WHERE u.source = 'ldap' AND project_id = p.id AND user_id = u.id
    ) m ON true
"""
# a robot account of a deleted project is gone with it, whatever project bears that name now
_ROBOT: Final = """
    SELECT r.id, r.name, r.project_id, r.permissions, r.expires_at, r.disabled, r.credential_version, r.secret_hash
    FROM directory.robots r LEFT JOIN directory.projects home ON home.id = r.project_id
    WHERE r.name = %s AND (r.project_id IS NULL OR home.id IS NOT NULL)
"""
_ROBOTS_WITH_RIGHTS: Final = """
    SELECT asked.place, (SELECT value = 'true' FROM directory.configuration WHERE key = 'read_only'),
           p.name, p.id, p.public, p.is_full, NULL,
           r.id, r.name, r.project_id, r.permissions, r.expires_at, r.disabled, r.credential_version, ''
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS asked (place, id, project)
    JOIN LATERAL (SELECT * FROM directory.robots WHERE id = asked.id OFFSET 0) r ON true
    LEFT JOIN LATERAL (SELECT id FROM directory.projects WHERE id = r.project_id OFFSET 0) home ON true
    LEFT JOIN LATERAL (SELECT * FROM directory.projects WHERE name = asked.project OFFSET 0) p ON true
    WHERE r.project_id IS NULL OR home.id IS NOT NULL
"""
# {names} becomes as many placeholders as projects are asked for: for an array the planner would read the whole table
_PROJECTS: Final = "SELECT name, id, public, is_full, NULL FROM directory.projects WHERE name IN ({names})"
# OFFSET 0 keeps the planner from joining to all memberships there are
_PROJECTS_OF_USER: Final = """
    SELECT p.name, p.id, p.public, p.is_full, m.role_id
    FROM directory.projects p
    LEFT JOIN LATERAL (
        SELECT role_id FROM directory.memberships WHERE project_id = p.id AND user_id = %s OFFSET 0
    ) m ON true
    WHERE p.name IN ({names})
"""
_HAS_USER_GROUPS: Final = "SELECT EXISTS (SELECT FROM directory.user_groups)"
_CONFIGURATION: Final = "SELECT key, value FROM directory.configuration WHERE key = ANY (%s)"


def plain(session: Session) -> Connection:
    """The psycopg connection under a Session: queries on it run in the Session's transaction."""
    return _driver(session.connection().connection.driver_connection)


def lender(engine: Engine) -> Lender:
    """Lends connections out of an engine's pool."""
    autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def lend() -> Iterator[Connection]:
        with unavailable_when_down(), autocommit.connect() as connection:
            yield _driver(connection.connection.driver_connection)

    return lend


def _driver(connection: object) -> Connection:
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("the engine does not speak through psycopg")
    return connection


def find_user(source: Source, name: str) -> User | None:
    """The account of this name, in whatever case it is written; None where there is none, or a deleted one."""
    rows = _rows(source, _USER, (name,))
    return _user(rows[0]) if rows else None


def find_user_by_id(source: Source, user_id: int) -> User | None:
    """The account with this number; None where there is none, or a deleted one."""
    rows = _rows(source, _USER_BY_ID, (user_id,))
    return _user(rows[0]) if rows else None


def find_robot(source: Source, name: str) -> Robot | None:
    """The robot account of this stored name (without prefix)."""
    rows = _rows(source, _ROBOT, (name,))
    return _robot(rows[0]) if rows else None


def users_with_rights(source: Source, asked: Sequence[Asked]) -> list[Found[User] | None]:
    """Accounts' present states and their rights in some projects, by one query; no password hash comes with them.

    In the order in which they were asked for; None where there is no such account, or a deleted one.
    """
    return _found(source, _USERS_WITH_RIGHTS, asked, _user)


def robots_with_rights(source: Source, asked: Sequence[Asked]) -> list[Found[Robot] | None]:
    """The same for robot accounts, whose rights in a project are their own grants; no hash comes with them."""
    return _found(source, _ROBOTS_WITH_RIGHTS, asked, _robot)


def project_rights(source: Source, principal: Principal, projects: Sequence[str]) -> dict[str, ProjectRights]:
    """What each of the named projects is to a principal; a project that does not exist is in the answer too."""
    if not projects:
        return {}
    if principal.kind is PrincipalKind.USER:
        rows = _rows(source, _naming(_PROJECTS_OF_USER, len(projects)), (principal.id, *projects))
    else:
        rows = _rows(source, _naming(_PROJECTS, len(projects)), tuple(projects))
    return _rights(rows, projects)


def effective_permissions(principal: Principal, rights: ProjectRights) -> frozenset[Permission]:
    """What a principal may do in a project: nothing in one that does not exist."""
    if not rights.exists:
        return frozenset()
    if principal.is_admin:
        return EVERYTHING
    if principal.kind is PrincipalKind.ROBOT:
        granted = (grant.permissions for grant in principal.robot_grants if grant.covers(rights.name))
        return frozenset().union(*granted, PUBLIC if rights.public else ())
    return permissions_of(rights.roles, public=rights.public)


def configuration(source: Source, keys: Sequence[str]) -> dict[str, object]:
    """The configured values of some keys; one that was never set is not in the answer."""
    return dict(_rows(source, _CONFIGURATION, (list(keys),)))  # a tuple would be sent as a row, not as an array


def has_user_groups(source: Source) -> bool:
    """Whether any group of a directory is known here."""
    return bool(_rows(source, _HAS_USER_GROUPS, ())[0][0])


def robot_grants(stored: object) -> tuple[RobotGrant, ...]:
    """A robot account's rights as they are stored: `[{namespace, access: [{resource, action}]}]`.

    An entry of another form grants nothing, and so does one whose effect is not to allow.
    """
    entries = stored if isinstance(stored, list) else []
    return tuple(
        RobotGrant(namespace=str(entry.get("namespace", "")), permissions=_access(entry.get("access")))
        for entry in entries
        if isinstance(entry, Mapping)
    )


def _access(stored: object) -> frozenset[Permission]:
    entries = stored if isinstance(stored, list) else []
    return frozenset(
        (str(entry.get("resource", "")), str(entry.get("action", "")))
        for entry in entries
        if isinstance(entry, Mapping) and entry.get("effect") in {None, "", "allow"}
    )


def _found(
    source: Source, query: str, asked: Sequence[Asked], read: Callable[[tuple[Any, ...]], _Account]
) -> list[Found[_Account] | None]:
    places, numbers, names = [], [], []
    for place, (number, projects) in enumerate(asked):
        for name in projects or ("",):  # which no project has: the account comes all the same
            places.append(place)
            numbers.append(number)
            names.append(name)
    answers: dict[int, list[tuple[Any, ...]]] = {}
    for row in _rows(source, query, (places, numbers, names)):
        answers.setdefault(row[0], []).append(row)
    return [
        Found(
            account=read(rows[0][7:]),
            rights=_rights((row[2:7] for row in rows), projects),
            read_only=rows[0][1] is True,
        )
        if (rows := answers.get(place))
        else None
        for place, (_, projects) in enumerate(asked)
    ]


def _rows(source: Source, query: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
    return source.execute(query, arguments).fetchall()


@cache
def _naming(query: str, number: int) -> str:
    """The query for so many names, at least one: without any it asks for the empty one, which no project has."""
    return query.format(names=", ".join(["%s"] * max(number, 1)))


def _user(row: tuple[Any, ...]) -> User:
    return User(
        id=row[0],
        name=row[1],
        source=row[2],
        is_admin=row[3],
        disabled=row[4],
        credential_version=row[5],
        password_hash=row[6],
    )


def _robot(row: tuple[Any, ...]) -> Robot:
    return Robot(
        id=row[0],
        name=row[1],
        project_id=row[2],
        grants=robot_grants(row[3]),
        expires_at=row[4],
        disabled=row[5],
        credential_version=row[6],
        secret_hash=row[7],
    )


def _rights(rows: Iterable[tuple[Any, ...]], projects: Sequence[str]) -> dict[str, ProjectRights]:
    rights = {name: ProjectRights.absent(name) for name in projects}
    for name, project_id, public, full, role_id in rows:
        if name is None:
            continue
        roles = rights[name].roles
        if role_id is not None:
            roles |= {Role(role_id)}
        rights[name] = ProjectRights(name=name, project_id=project_id, public=public, full=full, roles=roles)
    return rights
