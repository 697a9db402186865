"""Many accounts by one question: each gets what is its own, as if it had been asked for alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from services.token.queries import Standing, standings_of
from shared.auth.authenticate import Method
from shared.auth.memory import Remembered
from shared.auth.principals import PrincipalKind
from shared.auth.roles import Role
from tests import factories

Rows = psycopg.Connection[Any]
NOW = datetime.now(UTC)


def remembered(number: int, name: str, *, kind: PrincipalKind = PrincipalKind.USER, version: int = 1) -> Remembered:
    method = Method.ROBOT if kind is PrincipalKind.ROBOT else Method.DATABASE
    return Remembered(
        kind=kind, id=number, name=name, credential_version=version, method=method, until=NOW + timedelta(minutes=5),
    )


def roles(standing: Standing | None) -> dict[str, set[Role]] | None:
    return None if standing is None else {name: set(rights.roles) for name, rights in standing.rights.items()}


def test_each_of_many_gets_his_own_rights_in_what_he_asked_for(rows: Rows) -> None:
    names = ["batch-a", "batch-b", "batch-c"]
    a, b, c = (factories.project(rows, name, public=name == "batch-c") for name in names)
    rows.execute("UPDATE core.projects SET deleted_at = now() WHERE id = %s", (c,))
    one, two = factories.user(rows, "batch-one"), factories.user(rows, "batch-two", admin=True)
    grouped = factories.user(rows, "batch-grouped", source="ldap")
    off, gone = factories.user(rows, "batch-off", disabled=True), factories.user(rows, "batch-gone")
    rows.execute("UPDATE core.users SET deleted_at = now() WHERE id = %s", (gone,))
    factories.member(rows, a, one, Role.DEVELOPER)
    factories.member(rows, b, grouped, Role.GUEST)
    many = factories.group(rows, "batch", "cn=batch,dc=example")
    rows.execute("INSERT INTO core.user_group_members (group_id, user_id) VALUES (%s, %s)", (many, grouped))
    # a database account is in no group, whatever a table may say
    rows.execute("INSERT INTO core.user_group_members (group_id, user_id) VALUES (%s, %s)", (many, one))
    factories.group_member(rows, b, many, Role.MAINTAINER)
    robot = factories.robot(rows, "batch-a+ci", {"batch-a": [("repository", "pull")]}, project_id=a)
    lost = factories.robot(rows, "batch-c+ci", {"batch-c": [("repository", "pull")]}, project_id=c)
    late = factories.robot(rows, "batch-late", {"*": [("repository", "pull")]}, expires_at=NOW - timedelta(hours=1))
    machine = PrincipalKind.ROBOT
    asked = [
        (remembered(one, "batch-one"), ["batch-a", "batch-b"]),
        (remembered(robot, "robot$batch-a+ci", kind=machine), ["batch-a", "batch-missing"]),
        (remembered(one, "batch-one", version=2), ["batch-a"]),
        (remembered(two, "batch-two"), []),
        (remembered(grouped, "batch-grouped"), ["batch-b", "batch-c"]),
        (remembered(off, "batch-off"), ["batch-a"]),
        (remembered(gone, "batch-gone"), ["batch-a"]),
        (remembered(0, "batch-never"), ["batch-a"]),
        (remembered(lost, "robot$batch-c+ci", kind=machine), ["batch-a"]),
        (remembered(late, "robot$batch-late", kind=machine), ["batch-a"]),
        (remembered(one, "batch-one"), ["batch-b"]),
    ]
    together = standings_of(rows, asked, NOW)
    assert [roles(standing) for standing in together] == [
        {"batch-a": {Role.DEVELOPER}, "batch-b": set()},
        {"batch-a": set(), "batch-missing": set()},
        None,
        {},
        {"batch-b": {Role.GUEST, Role.MAINTAINER}, "batch-c": set()},
        None, None, None, None, None,
        {"batch-b": set()},
    ]
    assert together == [standings_of(rows, [each], NOW)[0] for each in asked]
    whole = [standing for standing in together if standing]
    assert [standing.principal.name for standing in whole] == [
        "batch-one", "robot$batch-a+ci", "batch-two", "batch-grouped", "batch-one",
    ]
    assert [standing.principal.is_admin for standing in whole] == [False, False, True, False, False]
    assert not any(standing.rights["batch-c"].exists for standing in whole if "batch-c" in standing.rights)
    assert not any(standing.read_only for standing in whole)
    with factories.read_only(rows):
        assert all(standing.read_only for standing in standings_of(rows, asked, NOW) if standing)


def test_nobody_asked_is_nothing_found(rows: Rows) -> None:
    assert standings_of(rows, [], NOW) == []
