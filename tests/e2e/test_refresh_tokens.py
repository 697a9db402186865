"""What docker keeps in place of a password: it pulls and pushes with it, through rotations, until it is revoked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.clients.images import make_image, write_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import Person, System


def test_docker_stores_a_refresh_token_and_works_with_it_until_it_is_revoked(
    system: System, engine: DockerEngine, project: str, person: Callable[..., Person], tmp_path: Path
) -> None:
    developer = person(project, "developer")
    docker = engine.client(tmp_path / "config")
    name = f"{system.host}/{project}/app:v1"
    assert (done := docker.login(system.host, developer.name, developer.password)).ok, done.said
    stored = (tmp_path / "config" / "config.json").read_text()
    assert json.loads(stored)["auths"][system.host]["identitytoken"].startswith("bwrt_")
    assert developer.password not in stored

    assert (done := docker.import_image(make_image(project).layers[0].content, name)).ok, done.said
    assert (done := docker.run("push", name)).ok, done.said
    for _ in range(3):
        assert (done := system.breakwater("keys", "rotate")).ok, done.said
        assert (done := docker.run("pull", name)).ok, done.said
    assert (done := docker.run("push", name)).ok, done.said

    # skopeo reads the same login file
    skopeo = system.skopeo(tmp_path / "config" / "config.json")
    layout = write_layout(tmp_path / "image", {"v2": make_image(project)})
    assert (done := skopeo.push(layout, "v2", f"{project}/app:v2")).ok, done.said

    assert developer.name in system.breakwater("admin", "refresh-tokens", "revoke", developer.name).out
    done = docker.run("pull", name)
    assert not done.ok
    assert "incorrect username or password" in done.said
    assert (done := docker.login(system.host, developer.name, developer.password)).ok, done.said
    assert (done := docker.run("pull", name)).ok, done.said
