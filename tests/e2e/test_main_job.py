"""The main job: log in, push, pull, delete; each step authorised, recorded, catalogued and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually
from tests.clients.rest import repository_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import Person, System


def audit_rows(system: System, project: str, operation: str, resource_type: str = "artifact") -> list[dict[str, Any]]:
    rows = system.admin.audit(project)
    return [row for row in rows if (row["operation"], row["resource_type"]) == (operation, resource_type)]


def one_row(system: System, project: str, operation: str) -> dict[str, Any]:
    """The one audit row of that operation, once it has come."""
    found = eventually(
        lambda: audit_rows(system, project, operation), within=10, what=f"an audit row of {operation} in {project}",
    )
    assert len(found) == 1, found
    return found[0]


def test_skopeo_login_push_pull_delete_each_recorded_catalogued_and_streamed(
    system: System, project: str, person: Callable[..., Person], tmp_path: Path,
) -> None:
    developer = person(project, "maintainer")
    skopeo = system.skopeo(tmp_path / "auth.json")
    image = make_image(project, layers=3)
    layout = write_layout(tmp_path / "image", {"v1": image})
    name = f"{project}/app"
    with system.stream(system.admin, project=project) as stream:
        assert (done := skopeo.login(developer.name, developer.password)).ok, done.said
        eventually(
            lambda: system.admin.audit(q=f"username={developer.name},operation=login"), within=10,
            what="the login's row",
        )

        assert (done := skopeo.push(layout, "v1", f"{name}:v1")).ok, done.said
        pushed = stream.wait_for(
            lambda event: event["type"] == "breakwater.artifact.pushed.v1", what="the push on the stream",
        )
        assert pushed["subject"] == f"{name}:v1"
        assert pushed["actor"] == developer.name
        assert pushed["data"]["digest"] == image.digest
        row = one_row(system, project, "create")
        assert (row["username"], row["resource"]) == (developer.name, f"{name}:v1")
        (artifact,) = eventually(lambda: system.admin.artifacts(name), within=10, what="the artifact in the API")
        assert artifact["digest"] == image.digest
        assert artifact["size"] == image.size
        assert [tag["name"] for tag in artifact["tags"]] == ["v1"]
        assert artifact["extra_attrs"]["architecture"] == "amd64"

        assert (done := skopeo.pull(f"{name}:v1", tmp_path / "pulled")).ok, done.said
        pulled = stream.wait_for(
            lambda event: event["type"] == "breakwater.artifact.pulled.v1", what="the pull on the stream",
        )
        assert pulled["data"]["digest"] == image.digest
        row = one_row(system, project, "pull")
        assert row["username"] == developer.name
        assert row["resource"].startswith(name)
        eventually(
            lambda: system.admin.get(repository_path(name))["pull_count"] == 1, within=10, what="the pull is counted",
        )

        assert (done := skopeo.delete(f"{name}:v1")).ok, done.said
        deleted = stream.wait_for(
            lambda event: event["type"] == "breakwater.artifact.deleted.v1", what="the deletion on the stream",
        )
        assert deleted["data"]["digest"] == image.digest
        row = one_row(system, project, "delete")
        assert (row["username"], row["resource"]) == (developer.name, f"{name}@{image.digest}")
        eventually(lambda: not system.admin.artifacts(name), within=10, what="the artifact is gone from the API")
        gone = skopeo.pull(f"{name}:v1", tmp_path / "again")
        assert not gone.ok
        assert "manifest unknown" in gone.said


def test_docker_login_push_pull_delete_and_its_words_on_refusal(
    system: System, engine: DockerEngine, project: str, person: Callable[..., Person], tmp_path: Path,
) -> None:
    maintainer, guest = person(project, "maintainer"), person(project, "guest")
    docker = engine.client(tmp_path / "maintainer")
    name = f"{system.host}/{project}/hello:1"
    layer = make_image(f"docker/{project}").layers[0].content
    assert (done := docker.login(system.host, maintainer.name, maintainer.password)).ok, done.said
    assert (done := docker.import_image(layer, name)).ok, done.said
    assert (done := docker.run("push", name)).ok, done.said
    row = one_row(system, project, "create")
    assert (row["username"], row["resource"]) == (maintainer.name, f"{project}/hello:1")

    assert (done := docker.run("rmi", name)).ok, done.said
    assert (done := docker.run("pull", name)).ok, done.said
    assert one_row(system, project, "pull")["username"] == maintainer.name

    reader = engine.client(tmp_path / "guest")
    assert (done := reader.login(system.host, guest.name, guest.password)).ok, done.said
    refused = reader.run("push", name)
    assert not refused.ok
    assert "denied" in refused.said
    wrong = engine.client(tmp_path / "wrong").login(system.host, guest.name, "not the password")
    assert not wrong.ok
    assert "unauthorized" in wrong.said.lower()
    assert docker.run("rmi", name).ok
    assert docker.logout(system.host).ok
    assert not docker.run("pull", name).ok


def test_a_push_shows_the_same_digest_to_every_client(
    system: System, project: str, tmp_path: Path,
) -> None:
    image = make_image(f"digest/{project}")
    skopeo = system.skopeo(tmp_path / "auth.json")
    assert skopeo.login(system.admin_name, system.admin_password).ok
    layout = write_layout(tmp_path / "image", {"v1": image})
    assert (done := skopeo.push(layout, "v1", f"{project}/a/b/c:v1")).ok, done.said
    assert skopeo.digest(f"{project}/a/b/c:v1") == image.digest
    assert skopeo.tags(f"{project}/a/b/c") == ["v1"]
    (artifact,) = eventually(lambda: system.admin.artifacts(f"{project}/a/b/c"), within=10, what="the artifact")
    assert artifact["digest"] == image.digest


def test_a_wrong_password_is_refused_and_recorded(
    system: System, project: str, person: Callable[..., Person], tmp_path: Path,
) -> None:
    somebody = person(project, "guest")
    refused = system.skopeo(tmp_path / "auth.json").login(somebody.name, "Wrong-passw0rd")
    assert not refused.ok
    assert "invalid username/password" in refused.said or "unauthorized" in refused.said
    (row,) = eventually(
        lambda: [
            row for row in system.admin.audit(q=f"username={somebody.name}") if not row.get("operation_result", False)
        ],
        within=90, what="the refused login's row", every=0.5,
    )
    assert "login" in row["operation"]
