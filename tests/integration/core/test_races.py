"""Two transactions at once: what one of them waits for, and what both leave behind."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.expectation import Kind, SettledBy, open_expectation, refuse, settle
from services.api.commands.metadata import update_project
from services.api.commands.project import delete_project
from services.api.commands.robot import create_robot
from services.api.commands.user import delete_user
from services.api.domain.robot import NewRobot, RobotPermission, Scope
from services.api.errors import NoSuchProject
from shared.auth.principals import Principal, PrincipalKind
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, EventContext
from shared.names import Digest, RepositoryName
from tests.integration.core.people import ADMIN, Api, code, sentence

Answer = TypeVar("Answer")
ADMINISTRATOR = Principal(kind=PrincipalKind.USER, id=1, name="admin", is_admin=True)
DIGEST = Digest("sha256:" + "e" * 64)
PULL = {"resource": "repository", "action": "pull"}


@pytest.fixture(scope="module")
def api(api: Api) -> Api:
    """Each test writes beside what it asks for."""
    return api.beside_others()


@pytest.fixture(scope="module")
def sessions(api: Api) -> Iterator[sessionmaker[Session]]:
    bind = engine(api.database.settings("core"))
    yield session_factory(bind)
    bind.dispose()


@pytest.fixture(scope="module")
def context(api: Api) -> EventContext:
    actor = Actor(kind=ActorKind.USER, name="admin")
    return EventContext(instance_id=api.database.settings("core").instance_id, actor=actor)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def waiting(api: Api, threads: ThreadPoolExecutor, act: Callable[[], Answer]) -> Future[Answer]:
    """Begin something elsewhere, and return once the database says that it waits for a lock."""
    begun = threads.submit(act)
    until = time.monotonic() + 8
    with api.database.superuser() as connection:
        while not begun.done() and time.monotonic() < until:
            waits = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if waits and waits[0]:
                return begun
            time.sleep(0.02)
    pytest.fail(f"nothing waited: {begun.result() if begun.done() else 'it still runs'}")


def now() -> datetime:
    return datetime.now(UTC)


def number_of(api: Api, project: str) -> int:
    return int(api.get(f"/projects/{project}").json["project_id"])


def rows_of(api: Api, table: str, project_id: int) -> int:
    with api.database.superuser() as connection:
        query = f"SELECT count(*) FROM core.{table} WHERE project_id = %s"  # noqa: S608 - the tables of this module
        row = connection.execute(query.encode(), (project_id,)).fetchone()
    assert row
    return int(row[0])


def system_robot(name: str, *projects: str) -> dict[str, object]:
    permissions = [{"kind": "project", "namespace": each, "access": [PULL]} for each in projects]
    return {"name": name, "level": "system", "duration": -1, "permissions": permissions}


def robot_of(project: str) -> dict[str, object]:
    permissions = [{"kind": "project", "namespace": project, "access": [PULL]}]
    return {"name": "late", "level": "project", "duration": -1, "permissions": permissions}


@pytest.mark.parametrize("what", ["robot", "member", "metadata"])
def test_nothing_is_put_into_a_project_that_is_being_deleted(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor, what: str
) -> None:
    project, user = api.project(), api.user()
    number = number_of(api, project)
    calls: dict[str, tuple[str, str, object]] = {
        "robot": ("POST", "/robots", robot_of(project)),
        "member": ("POST", f"/projects/{project}/members", {"role_id": 1, "member_user": {"username": user.name}}),
        "metadata": ("PUT", f"/projects/{project}", {"metadata": {"public": "true"}}),
    }
    method, path, body = calls[what]
    told = len(api.events("robot.created") + api.events("member.created") + api.events("project.updated"))
    with sessions() as session:
        delete_project(session, number, now=now(), context=context)
        answer = waiting(api, threads, lambda: api.send(method, path, ADMIN, body))
        session.commit()
    assert answer.result().status_code == 404
    assert rows_of(api, "robots", number) == rows_of(api, "members", number) == 0
    assert told == len(api.events("robot.created") + api.events("member.created") + api.events("project.updated"))
    with api.database.superuser() as connection:
        assert connection.execute("SELECT public FROM core.projects WHERE id = %s", (number,)).fetchone() == (False,)


@pytest.mark.parametrize("change", ["made", "widened"])
def test_rights_in_a_project_that_is_being_deleted_are_not_given(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor, change: str
) -> None:
    project, other = api.project(), api.project()
    body = system_robot("during-" + change, other, project)
    method, path = "POST", "/robots"
    if change == "widened":
        made = api.made("/robots", system_robot("during-" + change, other))
        method, path, body = "PUT", f"/robots/{made}", api.get(f"/robots/{made}").json | body
        del body["name"]
    with sessions() as session:
        delete_project(session, number_of(api, project), now=now(), context=context)
        answer = waiting(api, threads, lambda: api.send(method, path, ADMIN, body))
        session.commit()
    assert answer.result().status_code == 404
    assert project not in str(api.get("/robots?page_size=100").json)


def test_rights_that_are_being_given_go_with_a_deletion_that_comes_later(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor
) -> None:
    project, other = api.project(), api.project()
    named = [RobotPermission(scope=Scope.PROJECT, namespace=each, access=frozenset({("repository", "pull")}))
             for each in (project, other)]  # fmt: skip
    new = NewRobot(name="before", description="", duration_days=-1, disabled=False, permissions=tuple(named))
    with sessions() as session:
        robot, _ = create_robot(
            session, new, project_id=None, project=None, creator=ADMINISTRATOR, grantable=lambda each: each.access,
            prefix="robot$", now=now(), context=context,
        )  # fmt: skip
        answer = waiting(api, threads, lambda: api.send("DELETE", f"/projects/{project}"))
        session.commit()
    assert answer.result().status_code == 200
    left = api.get(f"/robots/{robot.id}").json["permissions"]
    assert [each["namespace"] for each in left] == [other]


def test_a_user_who_is_being_deleted_becomes_no_member(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor
) -> None:
    project, user = api.project(), api.user()
    body = {"role_id": 2, "member_user": {"username": user.name}}
    with sessions() as session:
        delete_user(session, api.user_id(user), of_administrators=True, now=now(), context=context)
        answer = waiting(api, threads, lambda: api.send("POST", f"/projects/{project}/members", ADMIN, body))
        session.commit()
    assert answer.result().status_code == 404
    assert rows_of(api, "members", number_of(api, project)) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"email": "late@example.test", "realname": "Late", "comment": ""}),
        ("/password", {"new_password": "Another1horse"}),
        ("/sysadmin", {"sysadmin_flag": True}),
    ],
)
def test_an_account_that_is_being_deleted_is_not_changed(
    api: Api,
    sessions: sessionmaker[Session],
    context: EventContext,
    threads: ThreadPoolExecutor,
    path: str,
    body: object,
) -> None:
    number = api.user_id(api.user())
    with sessions() as session:
        delete_user(session, number, of_administrators=True, now=now(), context=context)
        answer = waiting(api, threads, lambda: api.send("PUT", f"/users/{number}{path}", ADMIN, body))
        session.commit()
    assert answer.result().status_code == 404
    with api.database.superuser() as connection:
        query = "SELECT email LIKE '%%#%%', password_hash, sysadmin FROM core.users WHERE id = %s"
        assert connection.execute(query, (number,)).fetchone() == (True, None, False)


def test_of_two_changes_of_a_projects_metadata_at_once_both_hold(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor
) -> None:
    name = api.project()
    with sessions() as session:
        wanted = {"severity": "high", "public": "true"}
        update_project(session, number_of(api, name), wanted, now=now(), context=context)
        body = {"metadata": {"auto_scan": "true"}}
        answer = waiting(api, threads, lambda: api.send("PUT", f"/projects/{name}", ADMIN, body))
        session.commit()
    assert answer.result().status_code == 200
    assert api.get(f"/projects/{name}").json["metadata"] == {"public": "true", "severity": "high", "auto_scan": "true"}
    event = api.events("project.updated")[-1]["data"]
    assert (event["changed"], event["public"]) == (["auto_scan"], True)


def expect_push(session: Session, project: str, context: EventContext) -> UUID:
    return open_expectation(
        session, kind=Kind.PUT, repository=RepositoryName(f"{project}/app"), reference=DIGEST, digest=DIGEST,
        context=context,
    )  # fmt: skip


def test_a_project_that_is_being_pushed_to_is_not_deleted(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor
) -> None:
    name = api.project()
    number = number_of(api, name)
    with sessions.begin() as pushing:
        expected = expect_push(pushing, name, context)
        deletion = waiting(api, threads, lambda: api.send("DELETE", f"/projects/{name}"))
    answer = deletion.result(10)
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert sentence(answer) == f"something is being pushed to the project {name}: try again in a moment"
    with sessions.begin() as session:
        refuse(session, expected, by=SettledBy.GATE)
    assert api.send("DELETE", f"/projects/{number}").status_code == 200


def test_a_project_is_not_deleted_before_what_was_pushed_to_it_is_catalogued(
    api: Api, sessions: sessionmaker[Session], context: EventContext
) -> None:
    name = api.project()
    with sessions.begin() as session:
        assert settle(session, expect_push(session, name, context), by=SettledBy.REGISTRY)
    answer = api.send("DELETE", f"/projects/{name}")
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert sentence(answer) == f"something is being pushed to the project {name}: try again in a moment"
    with sessions.begin() as session:
        pushed = RepositoryName(f"{name}/app")
        deletion = open_expectation(
            session, kind=Kind.DELETE, repository=pushed, reference=DIGEST, digest=DIGEST, context=context
        )
        assert settle(session, deletion, by=SettledBy.GATE)
    assert api.send("DELETE", f"/projects/{name}").status_code == 200


def test_nothing_is_pushed_to_a_project_that_is_being_deleted(
    api: Api, sessions: sessionmaker[Session], context: EventContext, threads: ThreadPoolExecutor
) -> None:
    name = api.project()

    def push() -> UUID:
        with sessions.begin() as session:
            return expect_push(session, name, context)

    with sessions.begin() as deleting:
        delete_project(deleting, number_of(api, name), now=now(), context=context)
        pushed = waiting(api, threads, push)
    with pytest.raises(NoSuchProject):
        pushed.result(10)


def test_pushes_to_one_project_do_not_wait_for_each_other(
    api: Api, sessions: sessionmaker[Session], context: EventContext
) -> None:
    name = api.project()
    with sessions.begin() as first, sessions.begin() as second:
        expect_push(first, name, context)
        expect_push(second, name, context)
