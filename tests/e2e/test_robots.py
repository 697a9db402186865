"""Robot accounts at real clients: what they were given, no more, and not a moment longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from tests.clients.images import make_image, write_layout
from tests.clients.polling import settled
from tests.clients.registry import RegistryClient

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.system import System


def test_a_project_robot_pushes_and_pulls_with_skopeo_and_is_named_in_the_record(
    system: System, project: str, tmp_path: Path,
) -> None:
    name, secret, _ = system.admin.create_robot("ci", project, ("pull", "push"))
    skopeo = system.skopeo(tmp_path / "auth.json")
    assert (done := skopeo.login(name, secret)).ok, done.said
    layout = write_layout(tmp_path / "image", {"v1": make_image(f"robot/{project}")})
    assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
    assert (done := skopeo.pull(f"{project}/app:v1", tmp_path / "pulled")).ok, done.said
    settled(
        lambda: sorted(
            (row["username"], row["operation"]) for row in system.admin.audit(project)
            if row["resource_type"] == "artifact"
        ),
        [(name, "create"), (name, "pull")], within=10, what="the robot's push and pull in the record",
    )
    assert not skopeo.delete(f"{project}/app:v1").ok
    other = system.new_project()
    assert not skopeo.push(layout, "v1", f"{other}/app:v1").ok


def test_a_system_robot_reaches_only_the_projects_it_names(system: System, project: str) -> None:
    name, secret, _ = system.admin.create_robot(f"sys-{project}", project, ("pull",), level="system")
    image = make_image(f"sysrobot/{project}")
    other = system.new_project()
    for each in (project, other):
        assert system.registry().push(f"{each}/app", "v1", image).ok
    robot = RegistryClient(system.url, name, secret)
    assert robot.pull(f"{project}/app", "v1").status_code == requests.codes.ok
    assert robot.pull(f"{other}/app", "v1").status_code == requests.codes.unauthorized
    assert robot.push(f"{project}/app", "v2", image).status_code == requests.codes.unauthorized


def test_a_disabled_a_renewed_and_a_deleted_robot_get_no_token(system: System, project: str) -> None:
    name, secret, number = system.admin.create_robot("ci", project, ("pull",))

    def login(with_secret: str) -> int:
        return int(RegistryClient(system.url, name, with_secret).ask_token().status_code)

    assert login(secret) == requests.codes.ok
    renewed = system.admin.must("PATCH", f"/robots/{number}", json={"secret": ""}).json()["secret"]
    assert login(secret) == requests.codes.unauthorized
    assert login(renewed) == requests.codes.ok
    whole = system.admin.get(f"/robots/{number}")
    system.admin.must("PUT", f"/robots/{number}", json={**whole, "disable": True})
    assert login(renewed) == requests.codes.unauthorized
    system.admin.must("PUT", f"/robots/{number}", json={**whole, "disable": False})
    assert login(renewed) == requests.codes.ok
    system.admin.must("DELETE", f"/robots/{number}")
    assert login(renewed) == requests.codes.unauthorized
