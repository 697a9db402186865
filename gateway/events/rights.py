"""Who may see which event: accounts and projects as the stream last read them, and the rule over them.

A project is shared by all clients, so what is read does not grow with their number. An event from before a project was
made belongs to an earlier project of the same name, and is not shown to the members of this one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import tuple_row

from gateway.events.log import Connection, LoggedEvent
from shared.auth.principals import Principal, PrincipalKind
from shared.auth.roles import Role
from shared.auth.sessions import TIMEOUT_KEY, idle_time
from shared.directory import ProjectRights, effective_permissions, robot_grants
from shared.events.event import Visibility

CLOCK_SKEW: Final = timedelta(seconds=60)
"""A name is reserved longer than this after its project's end, so events of two projects never lie so close."""

AccountKey = tuple[PrincipalKind, int | None]

_PERMISSIONS: Final = {
    ("repository", "list"): Visibility.REPOSITORY_LIST,
    ("log", "list"): Visibility.LOG_LIST,
}
_EVERYTHING: Final = frozenset(Visibility)

_PROJECTS: Final = """
    SELECT p.name, p.id, p.public, p.created_at, m.user_id, m.role_id
    FROM directory.projects p
    LEFT JOIN LATERAL (SELECT user_id, role_id FROM directory.memberships WHERE project_id = p.id OFFSET 0) m ON true
    WHERE p.name = ANY (%s)
"""
_PROJECTS_OF_USER: Final = """
    SELECT p.name FROM directory.memberships m JOIN directory.projects p ON p.id = m.project_id WHERE m.user_id = %s
"""
_USERS: Final = """
    SELECT id, username, sysadmin, credential_version FROM directory.users WHERE id = ANY (%s) AND NOT disabled
"""
_TIMEOUT: Final = "SELECT value FROM directory.configuration WHERE key = %s"
_SESSIONS: Final = """
    SELECT token_hash FROM gateway.sessions
    WHERE token_hash = ANY (%s) AND expires_at > now() AND seen_at > now() - %s::interval
"""
_ROBOTS: Final = """
    SELECT r.id, r.name, r.permissions, r.credential_version
    FROM directory.robots r LEFT JOIN directory.projects home ON home.id = r.project_id
    WHERE r.id = ANY (%s) AND NOT r.disabled AND (r.expires_at IS NULL OR r.expires_at > now())
      AND (r.project_id IS NULL OR home.id IS NOT NULL)
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Project:
    """A project, and who has which role in it."""

    name: str
    project_id: int
    public: bool
    created_at: datetime
    roles: dict[int, frozenset[Role]]
    _seen_by: dict[Principal, frozenset[Visibility]] = field(default_factory=dict, repr=False)

    def visible_to(self, principal: Principal) -> frozenset[Visibility]:
        """What of the project's events somebody may see, who is no administrator."""
        known = self._seen_by.get(principal)
        if known is None:
            mine = self.roles.get(principal.id or 0, frozenset()) if principal.kind is PrincipalKind.USER else ()
            rights = ProjectRights(
                name=self.name, project_id=self.project_id, public=self.public, roles=frozenset(mine)
            )
            granted = effective_permissions(principal, rights)
            known = frozenset(_PERMISSIONS[each] for each in granted if each in _PERMISSIONS)
            self._seen_by[principal] = known
        return known

    def holds(self, event: LoggedEvent) -> bool:
        """Whether an event is this project's, and not an earlier namesake's."""
        if event.project_id is not None and event.project_id != self.project_id:
            return False
        return event.time is not None and event.time >= self.created_at - CLOCK_SKEW


class Rights:
    """What the stream knows of accounts and projects. It belongs to one event loop."""

    def __init__(self) -> None:
        self._projects: dict[str, Project | None] = {}
        self._accounts: dict[AccountKey, Principal] = {}
        self._departed: dict[str, Project] = {}

    def unknown(self, names: Iterable[str | None]) -> set[str]:
        """The projects among the names that are not read yet."""
        return {name for name in names if name is not None and name not in self._projects}

    async def load(self, connection: Connection, names: Iterable[str | None]) -> None:
        """Read the projects that are not known yet."""
        unknown = self.unknown(names)
        if unknown:
            for name, project in (await _read_projects(connection, unknown)).items():
                self._projects.setdefault(name, project)

    async def read(self, connection: Connection, names: Collection[str]) -> None:
        """Read projects as they are now, known or not."""
        self._projects |= await _read_projects(connection, names)

    def forget(self) -> None:
        """Nobody listens: what is known is not kept up to date from here on."""
        self._projects.clear()
        self._accounts.clear()
        self._departed.clear()

    async def refresh(
        self, connection: Connection, *, accounts: Iterable[AccountKey], names: Collection[str], kept: Collection[str]
    ) -> None:
        """Read the accounts and projects anew and forget all others; of the `kept` the state so far stays."""
        known = set(self._projects)
        self._accounts = await _read_accounts(connection, accounts)
        projects = await _read_projects(connection, names)
        self._departed |= {name: old for name, old in self._projects.items() if old and projects.get(name, old) is None}
        stays = {name: found for name, found in self._projects.items() if name in kept or name not in known}
        self._projects = projects | stays

    def end_project(self, name: str | None) -> None:
        """A project is gone, and its end was told."""
        if name is not None:
            self._projects[name] = None
            self._departed.pop(name, None)

    def exists(self, name: str) -> bool:
        """Whether a project is known and not gone."""
        return self._projects.get(name) is not None

    def account(self, key: AccountKey) -> Principal | None:
        """An account as it was last read; None where it may not act any more."""
        return self._accounts.get(key)

    def visible(self, principal: Principal, project: str | None) -> frozenset[Visibility]:
        """What somebody may see of a project's events; of the system's own, where there is no project."""
        if principal.is_admin:
            return _EVERYTHING
        found = self._projects.get(project) if project is not None else None
        return found.visible_to(principal) if found else frozenset()

    def shows(self, principal: Principal, event: LoggedEvent) -> bytes | None:
        """The form in which somebody gets an event; None where he may not see it."""
        if principal.is_admin:
            return event.whole
        name = event.project or ""
        project = self._projects.get(name)
        if project is None and event.ends_project:  # it was gone before its end could be told
            project = self._departed.get(name)
        if project is None or not project.holds(event):
            return None
        visible = project.visible_to(principal)
        if event.visibility not in visible:
            return None
        return event.whole if Visibility.LOG_LIST in visible else event.stripped


def account_key(principal: Principal) -> AccountKey:
    """What an account is known by."""
    return principal.kind, principal.id


async def projects_of(connection: Connection, principal: Principal) -> set[str]:
    """The projects that an account is expected to see something of: those it was made a member of, or a robot for."""
    if principal.kind is PrincipalKind.ROBOT:
        return {grant.namespace for grant in principal.robot_grants} - {"*", "/"}
    if principal.is_admin or principal.kind is not PrincipalKind.USER:
        return set()
    return {row[0] for row in await _rows(connection, _PROJECTS_OF_USER, (principal.id,))}


async def good_sessions(connection: Connection, wanted: Collection[bytes]) -> frozenset[bytes]:
    """Which of these sessions, known by their cookies' fingerprints, are neither ended nor over."""
    if not wanted:
        return frozenset()
    configured = await _rows(connection, _TIMEOUT, (TIMEOUT_KEY,))
    idle = idle_time(configured[0][0] if configured else None)
    return frozenset(bytes(row[0]) for row in await _rows(connection, _SESSIONS, (list(wanted), idle)))


async def _read_projects(connection: Connection, names: Collection[str]) -> dict[str, Project | None]:
    projects: dict[str, Project | None] = dict.fromkeys(names)
    if not names:
        return projects
    for name, project_id, public, created_at, user_id, role_id in await _rows(connection, _PROJECTS, (list(names),)):
        project = projects[name]
        if project is None:
            project = Project(name=name, project_id=project_id, public=public, created_at=created_at, roles={})
            projects[name] = project
        if user_id is not None:
            project.roles[user_id] = project.roles.get(user_id, frozenset()) | {Role(role_id)}
    return projects


async def _read_accounts(connection: Connection, keys: Iterable[AccountKey]) -> dict[AccountKey, Principal]:
    numbers: dict[PrincipalKind, list[int]] = {PrincipalKind.USER: [], PrincipalKind.ROBOT: []}
    for kind, number in keys:
        if number is not None and kind in numbers:
            numbers[kind].append(number)
    accounts = []
    if numbers[PrincipalKind.USER]:
        accounts += [
            Principal(kind=PrincipalKind.USER, id=row[0], name=row[1], is_admin=row[2], credential_version=row[3])
            for row in await _rows(connection, _USERS, (numbers[PrincipalKind.USER],))
        ]
    if numbers[PrincipalKind.ROBOT]:
        accounts += [
            Principal(
                kind=PrincipalKind.ROBOT,
                id=row[0],
                name=row[1],
                robot_grants=robot_grants(row[2]),
                credential_version=row[3],
            )
            for row in await _rows(connection, _ROBOTS, (numbers[PrincipalKind.ROBOT],))
        ]
    return {account_key(account): account for account in accounts}


async def _rows(connection: Connection, query: str, arguments: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(query.encode(), arguments)
        return await cursor.fetchall()
