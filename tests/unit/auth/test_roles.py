import pytest

from shared.auth.roles import EVERYTHING, PUBLIC, Role, allows, permissions, permissions_of, registry_actions

REGISTRY = {
    Role.PROJECT_ADMIN: {"pull", "push", "delete"},
    Role.MAINTAINER: {"pull", "push", "delete"},
    Role.DEVELOPER: {"pull", "push"},
    Role.GUEST: {"pull"},
    Role.LIMITED_GUEST: {"pull"},
}


@pytest.mark.parametrize(("role", "actions"), REGISTRY.items(), ids=lambda value: getattr(value, "label", ""))
def test_each_role_has_its_actions_in_the_registry(role: Role, actions: set[str]) -> None:
    assert registry_actions(permissions(role)) == actions


def test_anybody_may_pull_from_a_public_project_and_no_more() -> None:
    assert registry_actions(permissions_of([], public=True)) == {"pull"}
    assert registry_actions(permissions_of([], public=False)) == set()


def test_several_roles_add_up() -> None:
    both = permissions_of([Role.GUEST, Role.DEVELOPER], public=False)
    assert both == permissions(Role.GUEST) | permissions(Role.DEVELOPER)


def test_push_brings_pull_with_it() -> None:
    assert registry_actions(frozenset({("repository", "push")})) == {"pull", "push"}


@pytest.mark.parametrize("resource", ["repository", "artifact"])
def test_deleting_repositories_or_artifacts_is_deleting_in_the_registry(resource: str) -> None:
    assert "delete" in registry_actions(frozenset({(resource, "delete")}))


@pytest.mark.parametrize("role", Role)
def test_nobody_but_a_project_administrator_writes_members_or_robots(role: Role) -> None:
    for resource in ("member", "robot", "metadata"):
        assert allows(permissions(role), resource, "create") == (role is Role.PROJECT_ADMIN)


def test_developers_delete_nothing() -> None:
    deleting = {resource for resource, action in permissions(Role.DEVELOPER) if action == "delete"}
    assert not deleting & {"project", "repository", "artifact", "tag", "label", "immutable-tag"}


def test_a_limited_guest_sees_neither_members_nor_labels_nor_logs() -> None:
    assert not {"member", "label", "log"} & {resource for resource, _ in permissions(Role.LIMITED_GUEST)}


def test_what_anybody_may_is_no_more_than_what_a_project_administrator_may() -> None:
    assert permissions(Role.PROJECT_ADMIN) >= PUBLIC
    assert permissions(Role.PROJECT_ADMIN) == EVERYTHING


def test_labels_are_those_of_the_api() -> None:
    assert {role.label: int(role) for role in Role} == {
        "projectAdmin": 1, "developer": 2, "guest": 3, "maintainer": 4, "limitedGuest": 5,
    }  # fmt: skip
