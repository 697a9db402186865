"""What a token grants: every role, every kind of account, and who may not have it any more."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shared.auth.roles import Role
from tests import factories
from tests.integration.token.mount import SYSTEM_CREDENTIAL, Mount

Rows = psycopg.Connection[Any]

ALL = {"pull", "push", "delete"}
RIGHTS: dict[str, tuple[set[str], set[str]]] = {
    # who: in a private project, in a public one
    "administrator": (ALL, ALL),
    "projectAdmin": (ALL, ALL),
    "maintainer": (ALL, ALL),
    "developer": ({"pull", "push"}, {"pull", "push"}),
    "guest": ({"pull"}, {"pull"}),
    "limitedGuest": ({"pull"}, {"pull"}),
    "stranger": (set(), {"pull"}),
    "anonymous": (set(), {"pull"}),
}


def _somebody(rows: Rows, who: str, project_id: int) -> str | None:
    if who == "anonymous":
        return None
    name = f"{who.lower()}-{project_id}"
    user_id = factories.user(rows, name, admin=who == "administrator")
    role = next((role for role in Role if role.label == who), None)
    if role:
        factories.member(rows, project_id, user_id, role)
    return name


@pytest.mark.parametrize("public", [False, True], ids=["private", "public"])
@pytest.mark.parametrize("action", ["pull", "push", "delete", "*"])
@pytest.mark.parametrize("who", RIGHTS)
def test_each_role_gets_what_is_its_own(mount: Mount, rows: Rows, who: str, action: str, *, public: bool) -> None:
    name = f"{who.lower()}-{'all' if action == '*' else action}-{'public' if public else 'private'}"
    project_id = factories.project(rows, name, public=public)
    allowed = RIGHTS[who][public]
    expected = allowed if action == "*" else {action} & allowed
    assert mount.actions(_somebody(rows, who, project_id), f"repository:{name}/app:{action}") == expected


def test_a_token_says_who_and_what_and_lives_five_minutes(mount: Mount, rows: Rows) -> None:
    user_id = factories.user(rows, "Anna")
    factories.project(rows, "annas", members={user_id: Role.DEVELOPER})
    answer = mount.get("anna", "repository:annas/app:push,pull")
    said = answer.claims
    assert said["sub"] == "Anna"
    assert said["access"] == [{"type": "repository", "name": "annas/app", "actions": ["push", "pull"]}]
    assert said["exp"] - said["iat"] == answer.json["expires_in"] == 300
    assert answer.json["access_token"] == answer.json["token"]
    assert datetime.fromisoformat(answer.json["issued_at"]).timestamp() == said["iat"]
    assert answer.headers["cache-control"] == "no-store"


def test_several_scopes_are_decided_one_by_one(mount: Mount, rows: Rows) -> None:
    user_id = factories.user(rows, "several")
    factories.project(rows, "several-mine", members={user_id: Role.DEVELOPER})
    factories.project(rows, "several-public", public=True)
    factories.project(rows, "several-private")
    scopes = [f"repository:several-{name}/app:pull,push" for name in ("mine", "public", "private", "missing")]
    expected = [
        ("several-mine/app", {"pull", "push"}),
        ("several-public/app", {"pull"}),
        ("several-private/app", set()),
        ("several-missing/app", set()),
    ]
    assert mount.get("several", *scopes).granted == expected
    assert mount.get("several", " ".join(scopes)).granted == expected


def test_a_mount_needs_pull_on_its_source(mount: Mount, rows: Rows) -> None:
    user_id = factories.user(rows, "mounter")
    factories.project(rows, "mount-target", members={user_id: Role.DEVELOPER})
    factories.project(rows, "mount-source")
    answer = mount.get("mounter", "repository:mount-target/app:pull,push", "repository:mount-source/app:pull")
    assert answer.granted == [("mount-target/app", {"pull", "push"}), ("mount-source/app", set())]


@pytest.mark.parametrize("scope", ["repository:*:*", "repository:*/*:pull", "registry:catalog:*", "repository:x:pull"])
@pytest.mark.parametrize("who", ["stranger", "anonymous"])
def test_wide_scopes_are_never_granted(mount: Mount, rows: Rows, who: str, scope: str) -> None:
    name = f"wide-{abs(hash((who, scope)))}"
    factories.user(rows, name)
    assert mount.actions(None if who == "anonymous" else name, scope) == set()


def test_the_catalog_is_the_administrators_alone(mount: Mount, rows: Rows) -> None:
    factories.user(rows, "catalog-admin", admin=True)
    assert mount.actions("catalog-admin", "registry:catalog:*") == {"*"}
    assert mount.actions("catalog-admin", "repository:*:*") == set()


def test_a_robot_has_its_grants_and_nothing_of_its_projects_members(mount: Mount, rows: Rows) -> None:
    project_id = factories.project(rows, "robots")
    factories.project(rows, "robots-other")
    factories.robot(
        rows, "robots+ci", {"robots": [("repository", "push"), ("repository", "pull")]}, project_id=project_id
    )
    assert mount.actions("robot$robots+ci", "repository:robots/app:pull,push,delete") == {"pull", "push"}
    assert mount.actions("robot$robots+ci", "repository:robots-other/app:pull") == set()
    assert mount.get("robot$robots+ci", "repository:robots/app:pull").claims["sub"] == "robot$robots+ci"


def test_a_robot_of_the_system_acts_where_it_was_let(mount: Mount, rows: Rows) -> None:
    factories.project(rows, "anywhere")
    factories.robot(rows, "reader", {"*": [("repository", "pull")], "/": [("catalog", "read")]})
    assert mount.actions("robot$reader", "repository:anywhere/app:pull,push") == {"pull"}
    assert mount.actions("robot$reader", "registry:catalog:*") == {"*"}


def test_the_prefix_of_robots_follows_the_configuration(mount: Mount, rows: Rows) -> None:
    factories.robot(rows, "prefixed", {"*": [("repository", "pull")]})
    factories.configure(rows, robot_name_prefix="bot-")
    assert mount.get("robot$prefixed", "repository:library/app:pull").status == 401
    assert mount.get("bot-prefixed", "repository:library/app:pull").claims["sub"] == "bot-prefixed"
    factories.configure(rows, robot_name_prefix="robot$")


def test_a_robot_whose_time_is_over_or_who_is_disabled_gets_nothing(mount: Mount, rows: Rows) -> None:
    over = datetime.now(UTC) - timedelta(seconds=1)
    factories.robot(rows, "over", {"*": [("repository", "pull")]}, expires_at=over)
    factories.robot(rows, "off", {"*": [("repository", "pull")]}, disabled=True)
    for name in ("over", "off"):
        assert mount.get(f"robot${name}", "repository:library/app:pull").status == 401


def test_a_robot_of_a_deleted_project_is_gone_even_when_the_name_is_used_anew(mount: Mount, rows: Rows) -> None:
    old = factories.project(rows, "reborn")
    factories.robot(rows, "reborn+ci", {"reborn": [("repository", "pull")]}, project_id=old)
    assert mount.actions("robot$reborn+ci", "repository:reborn/app:pull") == {"pull"}
    rows.execute("UPDATE core.projects SET deleted_at = now() WHERE id = %s", (old,))
    factories.project(rows, "reborn")
    assert mount.get("robot$reborn+ci", "repository:reborn/app:pull").status == 401


# What changes takes effect at the next token, remembered credential or not.


@pytest.fixture
def developer(mount: Mount, rows: Rows) -> tuple[str, int, int]:
    """A developer whose credential is remembered already: name, number, project."""
    number = rows.execute("SELECT count(*) FROM core.users").fetchone()
    assert number is not None
    name = f"developer{number[0]}"
    user_id = factories.user(rows, name)
    project_id = factories.project(rows, name, members={user_id: Role.DEVELOPER})
    assert mount.actions(name, f"repository:{name}/app:pull,push") == {"pull", "push"}
    return name, user_id, project_id


def test_a_changed_role_takes_effect_at_the_next_token(
    mount: Mount, rows: Rows, developer: tuple[str, int, int]
) -> None:
    name, user_id, _ = developer
    rows.execute("UPDATE core.members SET role_id = %s WHERE user_id = %s", (int(Role.GUEST), user_id))
    assert mount.actions(name, f"repository:{name}/app:pull,push") == {"pull"}


def test_a_removed_member_has_nothing_at_the_next_token(
    mount: Mount, rows: Rows, developer: tuple[str, int, int]
) -> None:
    name, user_id, _ = developer
    rows.execute("DELETE FROM core.members WHERE user_id = %s", (user_id,))
    assert mount.actions(name, f"repository:{name}/app:pull,push") == set()


def test_a_project_made_private_is_closed_at_the_next_token(mount: Mount, rows: Rows) -> None:
    project_id = factories.project(rows, "closing", public=True)
    assert mount.actions(None, "repository:closing/app:pull") == {"pull"}
    rows.execute("UPDATE core.projects SET public = false WHERE id = %s", (project_id,))
    assert mount.actions(None, "repository:closing/app:pull") == set()


def test_a_deleted_project_is_closed_to_everybody(mount: Mount, rows: Rows, developer: tuple[str, int, int]) -> None:
    name, _, project_id = developer
    rows.execute("UPDATE core.projects SET deleted_at = now() WHERE id = %s", (project_id,))
    factories.user(rows, f"{name}-admin", admin=True)
    for who in (name, f"{name}-admin", None):
        assert mount.actions(who, f"repository:{name}/app:pull") == set()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core.users SET disabled = true WHERE id = %s",
        "UPDATE core.users SET deleted_at = now() WHERE id = %s",
        "UPDATE core.users SET password_hash = 'x', credential_version = credential_version + 1 WHERE id = %s",
    ],
    ids=["disabled", "deleted", "another password"],
)
def test_an_account_that_may_no_longer_log_in_is_refused_at_the_next_token(
    mount: Mount, rows: Rows, developer: tuple[str, int, int], change: str
) -> None:
    name, user_id, _ = developer
    rows.execute(change.encode(), (user_id,))
    assert mount.get(name, f"repository:{name}/app:pull").status == 401


def test_a_rotated_robot_is_refused_at_the_next_token(mount: Mount, rows: Rows) -> None:
    robot_id = factories.robot(rows, "rotated", {"*": [("repository", "pull")]})
    assert mount.actions("robot$rotated", "repository:library/app:pull") == {"pull"}
    rows.execute(
        "UPDATE core.robots SET secret_hash = %s, credential_version = credential_version + 1 WHERE id = %s",
        (factories.hashed("Another1horse"), robot_id),
    )
    assert mount.get("robot$rotated", "repository:library/app:pull").status == 401
    assert mount.get("robot$rotated", "repository:library/app:pull", password="Another1horse").status == 200


@pytest.mark.parametrize("who", ["administrator", "developer", "robot"])
def test_a_project_that_is_full_gives_no_token_for_a_push(mount: Mount, rows: Rows, who: str) -> None:
    name = f"full-{who}"
    project_id = factories.project(rows, name)
    if who == "robot":
        access = [("repository", action) for action in ("pull", "push", "delete")]
        factories.robot(rows, f"{name}+ci", {name: access}, project_id=project_id)
        account: str | None = f"robot${name}+ci"
    else:
        account = _somebody(rows, who, project_id)
    scope = f"repository:{name}/app:pull,push,delete"
    rights = mount.actions(account, scope)
    assert "push" in rights
    for used, limit, left in ((99, 100, rights), (100, 100, rights - {"push"}), (200, 100, rights - {"push"}),
                              (200, -1, rights)):  # fmt: skip
        rows.execute(
            "UPDATE core.projects SET storage_used = %s, storage_limit = %s WHERE id = %s", (used, limit, project_id)
        )
        assert mount.actions(account, scope) == left


def test_a_full_project_that_is_being_emptied_gives_a_token_for_a_push(mount: Mount, rows: Rows) -> None:
    """The gate knows what the catalogue does not yet, and judges."""
    name = "emptied"
    project_id = factories.project(rows, name)
    account = _somebody(rows, "developer", project_id)
    artifact_id = factories.artifact(rows, project_id, f"{name}/app")
    rows.execute("UPDATE core.projects SET storage_used = 100, storage_limit = 100 WHERE id = %s", (project_id,))
    assert "push" not in mount.actions(account, f"repository:{name}/app:pull,push")
    rows.execute(
        "INSERT INTO core.quota_departures (expectation_id, project_id, artifact_id)"
        " VALUES (gen_random_uuid(), %s, %s)",
        (project_id, artifact_id),
    )
    assert "push" in mount.actions(account, f"repository:{name}/app:pull,push")
    rows.execute("DELETE FROM core.artifacts WHERE id = %s", (artifact_id,))
    assert "push" not in mount.actions(account, f"repository:{name}/app:pull,push")


@pytest.mark.parametrize("who", ["administrator", "projectAdmin", "developer", "guest", "robot", "system robot"])
def test_in_read_only_mode_nobody_gets_more_than_pull(mount: Mount, rows: Rows, who: str) -> None:
    name = f"frozen-{who.lower().replace(' ', '-')}"
    project_id = factories.project(rows, name)
    access = [("repository", "push"), ("repository", "pull"), ("artifact", "delete")]
    if who == "robot":
        factories.robot(rows, f"{name}+ci", {name: access}, project_id=project_id)
        caller: str | None = f"robot${name}+ci"
    elif who == "system robot":
        factories.robot(rows, name, {"*": access})
        caller = f"robot${name}"
    else:
        caller = _somebody(rows, who, project_id)
    scopes = [f"repository:{name}/app:{actions}" for actions in ("pull,push,delete", "*")]
    before = [mount.actions(caller, scope) for scope in scopes]
    with factories.read_only(rows):
        assert [mount.actions(caller, scope) for scope in scopes] == [{"pull"}, {"pull"}]
    assert [mount.actions(caller, scope) for scope in scopes] == before


def test_read_only_mode_holds_for_refresh_tokens_and_leaves_the_catalog_open(mount: Mount, rows: Rows) -> None:
    factories.user(rows, "frozen-admin", admin=True)
    refresh = mount.get("frozen-admin", offline_token="true").json["refresh_token"]
    scope = "repository:library/app:pull,push registry:catalog:*"
    with factories.read_only(rows):
        answer = mount.post(grant_type="refresh_token", refresh_token=refresh, scope=scope)
    assert answer.granted == [("library/app", {"pull"}), ("catalog", {"*"})]
    assert answer.json["scope"] == "repository:library/app:pull registry:catalog:*"


def test_read_only_mode_does_not_stop_the_system_itself(mount: Mount, rows: Rows) -> None:
    body = json.dumps({"service": "metadata", "scope": ["repository:library/app:pull,push,delete"]}).encode()
    with factories.read_only(rows):
        answer = mount.send("POST", "/internal/token", body, Authorization=f"Bearer {SYSTEM_CREDENTIAL}")
    assert answer.granted == [("library/app", {"pull", "push", "delete"})]
