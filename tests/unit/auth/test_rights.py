import pytest

from shared.auth.principals import Principal, PrincipalKind, RobotGrant
from shared.auth.roles import EVERYTHING, PUBLIC, Role, permissions
from shared.directory import ProjectRights, effective_permissions, robot_grants

HERE = ProjectRights(name="here", project_id=1)
USER = Principal(kind=PrincipalKind.USER, id=1, name="anna")
ADMIN = Principal(kind=PrincipalKind.USER, id=2, name="admin", is_admin=True)
PULL = frozenset({("repository", "pull")})


def _robot(namespace: str) -> Principal:
    grant = RobotGrant(namespace=namespace, permissions=PULL)
    return Principal(kind=PrincipalKind.ROBOT, id=3, name="robot$ci", robot_grants=(grant,))


def test_a_member_has_what_his_roles_give() -> None:
    rights = ProjectRights(name="here", project_id=1, roles=frozenset({Role.GUEST}))
    assert effective_permissions(USER, rights) == permissions(Role.GUEST)


def test_a_stranger_has_nothing_in_a_private_project_and_everybodys_rights_in_a_public_one() -> None:
    assert effective_permissions(USER, HERE) == frozenset()
    public = ProjectRights(name="here", project_id=1, public=True)
    assert effective_permissions(USER, public) == PUBLIC
    assert effective_permissions(Principal.anonymous(), public) == PUBLIC


def test_an_administrator_has_everything_in_a_project_that_exists() -> None:
    assert effective_permissions(ADMIN, HERE) == EVERYTHING
    assert effective_permissions(ADMIN, ProjectRights.absent("gone")) == frozenset()


@pytest.mark.parametrize(("namespace", "granted"), [("here", PULL), ("*", PULL), ("there", set()), ("/", set())])
def test_a_robot_has_its_grants_where_they_hold(namespace: str, granted: frozenset[object]) -> None:
    assert effective_permissions(_robot(namespace), HERE) == granted


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "all",
        {"namespace": "*"},
        [None, 7, "x"],
        [{"namespace": "here"}],
        [{"namespace": "here", "access": "all"}],
        [{"namespace": "here", "access": [None, "pull", 7]}],
        [{"namespace": "here", "access": [{"resource": "repository", "action": "pull", "effect": "deny"}]}],
    ],
    ids=str,
)
def test_malformed_grants_grant_nothing(stored: object) -> None:
    principal = Principal(kind=PrincipalKind.ROBOT, id=3, name="robot$ci", robot_grants=robot_grants(stored))
    assert effective_permissions(principal, HERE) == frozenset()
