"""What docker keeps in place of a password: it pulls and pushes with it, through rotations, until it is revoked."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import requests

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


def test_a_refresh_token_of_the_profile_serves_docker_skopeo_and_a_script(
    system: System, engine: DockerEngine, project: str, person: Callable[..., Person], tmp_path: Path
) -> None:
    developer = person(project, "developer")
    made = system.rest(developer).must(
        "POST", f"/users/{developer.id}/refresh_tokens", json={"client_id": "nightly build"}
    )
    token = made.json()["refresh_token"]
    # what the portal's page tells to write down
    login_file = tmp_path / "config" / "config.json"
    login_file.parent.mkdir()
    entry = {"auth": b64encode(f"{developer.name}:".encode()).decode(), "identitytoken": token}
    login_file.write_text(json.dumps({"auths": {system.host: entry}}))
    layout = write_layout(tmp_path / "image", {"v1": make_image(project)})
    assert (done := system.skopeo(login_file).push(layout, "v1", f"{project}/app:v1")).ok, done.said
    docker, name = engine.client(login_file.parent), f"{system.host}/{project}/app:v2"
    assert (done := docker.import_image(make_image(project).layers[0].content, name)).ok, done.said
    assert (done := docker.run("push", name)).ok, done.said

    # what it tells to run
    form = {"grant_type": "refresh_token", "service": "breakwater-registry", "client_id": "curl"}
    form |= {"scope": f"repository:{project}/app:pull", "refresh_token": token}
    exchanged = requests.post(f"{system.url}/service/token", data=form, timeout=30)
    bearer = {"Authorization": f"Bearer {exchanged.json()['access_token']}"}
    listed = requests.get(f"{system.url}/v2/{project}/app/tags/list", headers=bearer, timeout=30)
    assert set(listed.json()["tags"]) == {"v1", "v2"}

    for flag in (True, False):
        system.admin.must("PUT", f"/users/{developer.id}/disabled", json={"disabled": flag})
        assert requests.post(f"{system.url}/service/token", data=form, timeout=30).status_code == 401
        assert not docker.run("push", name).ok
