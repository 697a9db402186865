"""Garbage collected in a running instance, while images are pushed and pulled by those who know nothing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.clients.collecting import SENTENCE, begin, collect, ended
from tests.clients.images import make_image, make_index, write_layout
from tests.clients.polling import eventually
from tests.e2e.crowd import collect_among
from tests.sentences import words_said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import System

pytestmark = pytest.mark.fault


def is_under_way(system: System) -> bool:
    return system.settings.collecting_flag.exists()


@pytest.mark.parametrize(
    ("pushes", "collections"), [(60, 3), pytest.param(1000, 20, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_every_tag_that_was_accepted_pulls_whatever_is_collected_meanwhile(
    fragile: System, pushes: int, collections: int
) -> None:
    collect_among(fragile, pushes, collections)


def test_a_collection_frees_bytes_and_is_in_the_record(fragile: System) -> None:
    repository, image = f"{fragile.new_project()}/app", make_image("freed", layer_size=100_000)
    client = fragile.registry()
    assert client.push(repository, "v1", image).ok
    assert client.delete_manifest(repository, image.digest).ok
    said = fragile.breakwater("gc", "run", "--dry-run")
    assert said.ok, said.err
    assert "would free" in said.out
    assert image.digest in said.out
    number = begin(fragile.admin, delete_untagged=True)
    done = ended(fragile.admin, number)
    freed = json.loads(done["job_parameters"])
    assert done["job_status"] == "Success"
    assert freed["freed_space"] >= image.size
    assert freed["purged_blobs"] >= len((image.manifest, *image.blobs))
    assert not client.has_blob(repository, image.layers[0].digest)
    assert f"collection {int(number) + 1}" in fragile.breakwater(*words_said("./breakwater gc run")).out
    assert number in fragile.breakwater("gc", "list").out
    stopped = fragile.breakwater(*words_said("./breakwater gc stop ID", {"ID": number}))
    assert (stopped.ok, stopped.err) == (False, f"collection {number} has ended already\n")

    def recorded() -> set[str]:
        records = fragile.admin.audit(q=f"resource={number},resource_type=garbage_collection")
        return {record["operation"] for record in records}

    eventually(lambda: recorded() == {"create", "update"}, within=20, what="start and end in the record")


def test_an_index_that_lists_nothing_is_no_garbage_in_a_repository_of_its_own(fragile: System) -> None:
    """It is pushed without any blob, and 2.8 finds a repository by the folder of its blobs."""
    repository, client = f"{fragile.new_project()}/nothing", fragile.registry()
    assert client.push(repository, "v1", make_index("nothing", architectures=())).ok
    collect(fragile.admin)
    assert client.pull(repository, "v1").ok


@pytest.mark.parametrize("part", ["registry", "metadata"])
def test_a_part_that_is_killed_in_a_collection_leaves_an_instance_that_takes_pushes(fragile: System, part: str) -> None:
    repository, client = f"{fragile.new_project()}/app", fragile.registry()
    assert client.push(repository, "before", make_image("before")).ok
    number = begin(fragile.admin)
    eventually(lambda: is_under_way(fragile), within=20, what="a collection under way", every=0.01)
    fragile.instance.kill_part(part)
    assert ended(fragile.admin, number)["job_status"] in {"Error", "Success"}
    eventually(lambda: not is_under_way(fragile), within=20, what="pushes are taken again")
    image = make_image("after")
    eventually(lambda: client.push(repository, "after", image).ok, within=20, what="a push goes through", every=0.5)
    assert all(client.pull(repository, tag).ok for tag in ("before", "after"))
    collect(fragile.admin)


def test_a_collection_that_is_stopped_ends_within_seconds(fragile: System) -> None:
    number = begin(fragile.admin)
    fragile.admin.must("PUT", f"/system/gc/{number}")
    assert ended(fragile.admin, number, within=30)["job_status"] in {"Stopped", "Success"}
    assert not is_under_way(fragile)


@pytest.fixture
def as_if_collecting(fragile: System) -> Iterator[None]:
    """A collection that takes as long as a test: what a client is told is decided by the flag alone."""
    fragile.settings.collecting_flag.touch()
    yield
    fragile.settings.collecting_flag.unlink(missing_ok=True)


@pytest.mark.usefixtures("as_if_collecting")
def test_skopeo_shows_why_a_push_is_refused(fragile: System, tmp_path: Path) -> None:
    skopeo = fragile.skopeo(tmp_path / "auth.json")
    assert skopeo.login(fragile.admin_name, fragile.admin_password).ok
    layout = write_layout(tmp_path / "image", {"v1": make_image("refused")})
    done = skopeo.push(layout, "v1", "library/refused:v1")
    assert not done.ok
    assert SENTENCE in done.said


@pytest.mark.usefixtures("as_if_collecting")
def test_docker_shows_why_a_push_is_refused(fragile: System, engine: DockerEngine, tmp_path: Path) -> None:
    docker = engine.client(tmp_path / "docker")
    assert docker.login(fragile.host, fragile.admin_name, fragile.admin_password).ok
    name = f"{fragile.host}/library/refused:v1"
    assert docker.import_image(make_image("refused").layers[0].content, name).ok
    done = docker.run("push", name)
    assert not done.ok
    assert SENTENCE in done.said
