"""What docker and skopeo show of a refusal: the sentence, and not a want of rights."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests

from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import Person, System



@contextmanager
def read_only(system: System) -> Iterator[None]:
    """Nothing else is done in this instance meanwhile."""

    def is_said() -> bool:
        answer = requests.post(f"{system.url}/v2/library/frozen/blobs/uploads/", timeout=10)
        return "read-only mode" in answer.text

    system.admin.must("PUT", "/configurations", json={"read_only": True})
    try:
        eventually(is_said, within=10, what="the proxy says it")
        yield
    finally:
        system.admin.must("PUT", "/configurations", json={"read_only": False})
        eventually(lambda: not is_said(), within=10, what="the proxy lets pushes through again")


def test_skopeo_shows_why_a_push_is_refused(
    system: System, project: str, person: Callable[..., Person], tmp_path: Path
) -> None:
    maintainer = person(project, "maintainer")
    skopeo = system.skopeo(tmp_path / "auth.json")
    assert skopeo.login(maintainer.name, maintainer.password).ok
    one, two = make_image(f"one/{project}", layers=2), make_image(f"two/{project}", layers=2)
    layout = write_layout(tmp_path / "image", {"one": one, "two": two})
    system.admin.must("POST", f"/projects/{project}/immutabletagrules", json={
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
        "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
    })  # fmt: skip
    assert skopeo.push(layout, "one", f"{project}/app:v1").ok
    moved = skopeo.push(layout, "two", f"{project}/app:v1")
    assert not moved.ok
    assert "immutable" in moved.said, moved.said

    number = system.admin.get(f"/projects/{project}")["project_id"]
    system.admin.must("PUT", f"/quotas/{number}", json={"hard": {"storage": one.size + 1}})
    too_much = skopeo.push(layout, "two", f"{project}/app:latest")
    assert not too_much.ok
    assert "will exceed the configured upper limit of" in too_much.said, too_much.said

    system.admin.must("PUT", f"/quotas/{number}", json={"hard": {"storage": -1}})
    with read_only(system):
        frozen = skopeo.push(layout, "two", f"{project}/app:latest")
        assert not frozen.ok
        assert "the system is in read-only mode" in frozen.said, frozen.said
        assert skopeo.pull(f"{project}/app:v1", tmp_path / "pulled").ok
    assert (done := skopeo.push(layout, "two", f"{project}/app:latest")).ok, done.said


def test_docker_shows_why_a_push_is_refused(
    system: System, engine: DockerEngine, project: str, person: Callable[..., Person], tmp_path: Path
) -> None:
    maintainer = person(project, "maintainer")
    docker = engine.client(tmp_path / "maintainer")
    name = f"{system.host}/{project}/hello:1"
    assert docker.login(system.host, maintainer.name, maintainer.password).ok
    layer = make_image(f"refused/{project}").layers[0].content
    assert docker.import_image(layer, name).ok
    number = system.admin.get(f"/projects/{project}")["project_id"]
    system.admin.must("PUT", f"/quotas/{number}", json={"hard": {"storage": 10}})
    too_much = docker.run("push", name)
    assert not too_much.ok
    assert "will exceed the configured upper limit of" in too_much.said, too_much.said
    system.admin.must("PUT", f"/quotas/{number}", json={"hard": {"storage": -1}})
    with read_only(system):
        frozen = docker.run("push", name)
        assert not frozen.ok
        assert "the system is in read-only mode" in frozen.said, frozen.said
    assert (done := docker.run("push", name)).ok, done.said
    docker.run("rmi", name)
