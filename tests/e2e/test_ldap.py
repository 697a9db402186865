"""People of a directory at a real client: a login makes the account, its rights are given as to any other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import requests

from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually
from tests.clients.rest import RestClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.conftest import Departure
    from tests.e2e.system import System
    from tests.slapd import Directory

def test_a_person_of_the_directory_logs_in_and_pushes_where_they_are_a_member(
    fragile: System, directory: Directory, tmp_path: Path,
) -> None:
    project = fragile.new_project()
    skopeo = fragile.skopeo(tmp_path / "auth.json")
    layout = write_layout(tmp_path / "image", {"v1": make_image(f"ldap/{project}")})
    assert (done := skopeo.login("alice", directory.people["alice"])).ok, done.said
    assert not skopeo.push(layout, "v1", f"{project}/app:v1").ok
    fragile.admin.add_member(project, "alice", "developer")
    assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
    (row,) = eventually(
        lambda: [row for row in fragile.admin.audit(project) if row["resource_type"] == "artifact"], within=10,
        what="the push in the record",
    )
    assert row["username"] == "alice"


def test_a_person_of_the_directory_uses_his_password_on_v2(fragile: System, directory: Directory) -> None:
    project = fragile.new_project()
    assert fragile.registry().push(f"{project}/app", "v1", make_image(f"ldap-v2/{project}")).ok
    assert fragile.login("carol", directory.people["carol"]) == requests.codes.ok
    fragile.admin.add_member(project, "carol", "guest")
    for path, password, status in (
        (f"/v2/{project}/app/tags/list", directory.people["carol"], requests.codes.ok),
        ("/v2/_catalog", directory.people["carol"], requests.codes.ok),
        (f"/v2/{project}/app/tags/list", "wrong", requests.codes.unauthorized),
        ("/v2/_catalog", "wrong", requests.codes.unauthorized),
        ("/v2/", "", requests.codes.unauthorized),
    ):
        assert requests.get(f"{fragile.url}{path}", auth=("carol", password), timeout=20).status_code == status, path


@pytest.mark.parametrize(("name", "administers"), [("dora", True), ("carol", False)])
def test_whoever_is_in_the_group_of_administrators_is_one(
    fragile: System, directory: Directory, name: str, *, administers: bool
) -> None:
    asked = RestClient(fragile.url, name, directory.people[name])
    assert asked.get("/users/current")["admin_role_in_auth"] is administers
    assert asked.send("GET", "/users").ok is administers


def test_docker_logs_in_with_an_account_of_the_directory(
    fragile: System, engine: DockerEngine, directory: Directory, tmp_path: Path,
) -> None:
    done = engine.client(tmp_path / "carol").login(fragile.host, "carol", directory.people["carol"])
    assert done.ok, done.said


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_or_empty_password_is_refused(fragile: System, directory: Directory, password: str) -> None:  # noqa: ARG001
    assert fragile.login("alice", password) == requests.codes.unauthorized


@pytest.mark.parametrize(
    "name", ["*", "a*", "*)(uid=*", "alice)(&", "admin)(&", "ali\x00ce", "uid=alice,ou=people", "alice\\", "cn=reader"],
)
def test_a_name_made_to_break_the_search_logs_nobody_in(fragile: System, directory: Directory, name: str) -> None:
    for password in (directory.people["alice"], directory.reader_password):
        assert fragile.login(name, password) in {requests.codes.unauthorized, requests.codes.bad_request}


def test_the_administrator_of_the_database_still_gets_in(fragile: System, directory: Directory) -> None:  # noqa: ARG001
    assert fragile.login(fragile.admin_name, fragile.admin_password) == requests.codes.ok


def test_somebody_taken_out_of_the_directory_gets_no_token_a_minute_later(
    fragile: System, directory: Directory, departed: Departure,
) -> None:
    eventually(
        lambda: fragile.login(departed.name, directory.people[departed.name]) == requests.codes.unauthorized,
        within=max(5.0, departed.at + 75 - time.monotonic()), every=1, what="the remembered login has ended",
    )
