"""What a robot account may be called, hold and last."""

from datetime import UTC, datetime

import pytest

from services.api.commands.robot import new_secret
from services.api.domain.robot import (
    PROJECT_ACCESS,
    SYSTEM_ACCESS,
    Level,
    RobotPermission,
    Scope,
    check_name,
    check_permissions,
    check_secret,
    expiry,
)
from services.api.errors import UnfitRobot, UnfitUser
from shared.secrets import Secret

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PULL = ("repository", "pull")
PUSH = ("repository", "push")


def permission(namespace: str, *access: tuple[str, str], scope: Scope = Scope.PROJECT) -> RobotPermission:
    return RobotPermission(scope=scope, namespace=namespace, access=frozenset(access))


def test_the_permissions_of_one_place_become_one() -> None:
    given = [permission("a", PULL), permission("a", PUSH), permission("b", PULL)]
    assert check_permissions(given, level=Level.SYSTEM, project=None) == (
        permission("a", PULL, PUSH),
        permission("b", PULL),
    )


@pytest.mark.parametrize(
    ("level", "project", "given"),
    [
        (Level.PROJECT, "a", []),
        (Level.PROJECT, "a", [permission("b", PULL)]),
        (Level.PROJECT, "a", [permission("*", PULL)]),
        (Level.PROJECT, "a", [permission("a", PULL), permission("b", PULL)]),
        (Level.PROJECT, "a", [permission("/", ("user", "list"), scope=Scope.SYSTEM)]),
        (Level.SYSTEM, None, []),
        (Level.SYSTEM, None, [permission("a")]),
        (Level.SYSTEM, None, [permission("a", ("user", "list"))]),
        (Level.SYSTEM, None, [permission("a", ("repository", "*"))]),
        (Level.SYSTEM, None, [permission("a", ("robot", "update"))]),
        (Level.SYSTEM, None, [permission("*", ("user", "list"), scope=Scope.SYSTEM)]),
        (Level.SYSTEM, None, [permission("/", PULL, scope=Scope.SYSTEM)]),
        (Level.SYSTEM, None, [permission("/", ("configuration", "update"), scope=Scope.SYSTEM)]),
        (Level.SYSTEM, None, [permission(f"p{n}", PULL) for n in range(201)]),
    ],
)
def test_permissions_that_cannot_be_given_are_refused(
    level: Level, project: str | None, given: list[RobotPermission]
) -> None:
    with pytest.raises(UnfitRobot):
        check_permissions(given, level=level, project=project)


@pytest.mark.parametrize(
    ("namespace", "scope", "where"), [("/", Scope.SYSTEM, "the system"), ("a", Scope.PROJECT, "a project")]
)
def test_what_cannot_be_given_is_told_with_where(namespace: str, scope: Scope, where: str) -> None:
    given = [permission(namespace, ("configuration", "fly"), scope=scope)]
    with pytest.raises(UnfitRobot, match=rf"cannot be given configuration:fly in {where}$"):
        check_permissions(given, level=Level.SYSTEM, project=None)


def test_no_robot_can_be_given_what_would_let_it_rise() -> None:
    assert ("robot", "update") not in PROJECT_ACCESS | SYSTEM_ACCESS
    assert not {resource for resource, _ in SYSTEM_ACCESS} & {"configuration", "sysadmin"}


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "a+b", "robot$a", "-a", "a-", "a--b", "x" * 256])
def test_a_name_follows_its_grammar(name: str) -> None:
    with pytest.raises(UnfitRobot):
        check_name(name)
    assert check_name("a.b-c_1") == "a.b-c_1"


def test_a_robot_lasts_for_days_or_for_ever() -> None:
    assert expiry(NOW, 30) == datetime(2026, 1, 31, tzinfo=UTC)
    assert expiry(NOW, -1) is None
    for days in (0, -2, 36_501, 10**30):
        with pytest.raises(UnfitRobot):
            expiry(NOW, days)


def test_a_made_secret_keeps_the_rule_and_is_never_made_twice() -> None:
    made = {check_secret(new_secret()).reveal() for _ in range(50)}
    assert len(made) == 50
    with pytest.raises(UnfitUser):
        check_secret(Secret("easy"))
