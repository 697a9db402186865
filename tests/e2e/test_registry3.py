"""The main job on distribution 3.x, where BREAKWATER_REGISTRY3 names its binary."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import requests

from tests.clients.collecting import collect
from tests.clients.forgery import FORGERIES
from tests.clients.images import make_image, make_index, write_layout
from tests.clients.polling import eventually, settled
from tests.e2e.conftest import fresh_system
from tests.e2e.crowd import collect_among

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.system import System

pytestmark = pytest.mark.skipif(
    not os.environ.get("BREAKWATER_REGISTRY3"), reason="BREAKWATER_REGISTRY3 names no distribution 3.x binary",
)


@pytest.fixture(scope="module")
def system3() -> Iterator[System]:
    yield from fresh_system({"BREAKWATER_REGISTRY_PROGRAM": os.environ["BREAKWATER_REGISTRY3"]})


def test_the_main_job_runs_on_registry_3(system3: System, tmp_path: Path) -> None:
    project = system3.new_project()
    image = make_image(f"registry3/{project}", layers=3)
    layout = write_layout(tmp_path / "image", {"v1": image, "multi": make_index(project)})
    skopeo = system3.skopeo(tmp_path / "auth.json")
    assert (done := skopeo.login(system3.admin_name, system3.admin_password)).ok, done.said
    assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
    assert (done := skopeo.push(layout, "multi", f"{project}/multi:v1", every_platform=True)).ok, done.said
    assert (done := skopeo.pull(f"{project}/app:v1", tmp_path / "pulled")).ok, done.said
    (artifact,) = eventually(lambda: system3.admin.artifacts(f"{project}/app"), within=10, what="the artifact")
    assert artifact["digest"] == image.digest
    assert (done := skopeo.delete(f"{project}/app:v1")).ok, done.said
    settled(
        lambda: sorted(
            row["operation"] for row in system3.admin.audit(project)
            if row["resource_type"] == "artifact" and row["resource"].startswith(f"{project}/app")
        ),
        # skopeo reads what it deletes
        ["create", "delete", "pull", "pull"], within=10, what="each step in the record, once",
    )


def test_a_tag_is_deleted_by_its_name_on_registry_3(system3: System) -> None:
    project = system3.new_project()
    image = make_image(f"registry3-tag/{project}")
    registry = system3.registry()
    for tag in ("v1", "v2"):
        assert registry.push(f"{project}/app", tag, image).status_code == requests.codes.created
    assert registry.delete_manifest(f"{project}/app", "v1").status_code == requests.codes.accepted
    eventually(
        lambda: [[tag["name"] for tag in found["tags"] or ()] for found in system3.admin.artifacts(f"{project}/app")]
        == [["v2"]],
        within=10, what="the other tag and the artifact stay",
    )


def test_a_collection_on_registry_3_takes_what_nothing_names_and_nothing_else(system3: System) -> None:
    project, registry = system3.new_project(), system3.registry()
    gone, kept = make_image(f"gone/{project}", layer_size=100_000), make_image(f"kept/{project}", layers=2)
    index = make_index(f"index/{project}")
    for tag, image in (("gone", gone), ("kept", kept)):
        assert registry.push(f"{project}/app", tag, image).ok
    assert registry.push(f"{project}/app", "index", index).ok
    assert registry.push(f"{project}/nothing", "v1", make_index("nothing", architectures=())).ok
    assert registry.delete_manifest(f"{project}/app", gone.digest).ok
    done = collect(system3.admin, delete_untagged=True)
    assert json.loads(done["job_parameters"])["freed_space"] >= gone.size
    assert not registry.has_blob(f"{project}/app", gone.layers[0].digest)
    for tag in ("kept", "index"):
        assert registry.pull(f"{project}/app", tag).ok
    for child in index.images:
        assert registry.pull(f"{project}/app", child.digest).ok
    assert registry.pull(f"{project}/nothing", "v1").ok
    # what was taken away is not believed to be there still
    assert registry.push(f"{project}/app", "again", gone).ok
    assert registry.pull(f"{project}/app", "again").ok


@pytest.mark.parametrize(
    ("pushes", "collections"), [(60, 3), pytest.param(1000, 20, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_every_tag_that_was_accepted_pulls_whatever_registry_3_collects_meanwhile(
    system3: System, pushes: int, collections: int
) -> None:
    collect_among(system3, pushes, collections)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_opens_nothing_on_registry_3(system3: System, name: str) -> None:
    project = system3.new_project()
    registry = system3.registry()
    assert registry.push(f"{project}/app", "v1", make_image(f"forged/{project}")).ok
    forged = FORGERIES[name](registry.token(f"repository:{project}/app:pull"))
    answer = registry.send("GET", f"/v2/{project}/app/manifests/v1", token=forged)
    assert answer.status_code == requests.codes.unauthorized
