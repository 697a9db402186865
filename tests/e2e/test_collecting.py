"""Garbage collected in a running instance, while images are pushed and pulled by those who know nothing of it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
import requests

from tests.clients.collecting import SENTENCE, begin, collect, ended
from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import System

pytestmark = pytest.mark.fault

TO_BE_REPEATED: Final = {"DENIED", "UNSUPPORTED", "BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN"}
"""What a push may be told that a collection comes across: refused, or its blobs, which nothing named yet, are gone."""


def is_under_way(system: System) -> bool:
    return system.settings.collecting_flag.exists()


@dataclass
class Crowd:
    """Some who push and delete, and one who pulls what was pushed, for as long as the collections last."""

    system: System
    project: str
    wanted: int
    kept: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    pulls: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    begun: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def push(self, name: str) -> None:
        """Push one image after another; each second one that comes to be is deleted again, and is garbage then.

        Each in a repository of their own: distribution 2.8 answers 500 where two delete in one at the same moment.
        """
        repository = f"{self.project}/{name}"
        client = self.system.registry()
        while not (self.over.is_set() and self.begun >= self.wanted):
            with self._lock:
                self.begun += 1
                number = self.begun
            tag = f"v{number}"
            image = make_image(f"{repository}/{tag}", layer_size=2000)
            self._repeat(partial(client.push, repository, tag, image))
            if number % 2:
                self._repeat(partial(client.delete_manifest, repository, image.digest))
            else:
                self.kept[tag] = repository

    def pull(self) -> None:
        """Pull what is there, all the time."""
        client = self.system.registry()
        while not self.over.is_set():
            for tag, repository in [*self.kept.items()][-5:]:
                answer = client.pull(repository, tag)
                self.pulls += 1
                if answer.status_code != requests.codes.ok:
                    self.wrong.append(f"pull of {tag}: {answer.status_code} {answer.text[:200]}")
            time.sleep(0.01)

    def _repeat(self, act: Callable[[], requests.Response]) -> None:
        for _ in range(200):
            answer = act()
            if answer.ok:
                return
            code = json.loads(answer.text)["errors"][0]["code"] if answer.text.startswith("{") else "?"
            self.refused[code] += 1
            if code in {"NOT_FOUND", "MANIFEST_UNKNOWN"}:
                return
            if code not in TO_BE_REPEATED or (code == "DENIED" and SENTENCE not in answer.text):
                self.wrong.append(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:200]}")
            time.sleep(0.2)
        self.wrong.append("it never went through")


@pytest.mark.parametrize(
    ("pushes", "collections"), [(60, 3), pytest.param(1000, 20, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_every_tag_that_was_accepted_pulls_whatever_is_collected_meanwhile(
    fragile: System, pushes: int, collections: int
) -> None:
    crowd = Crowd(fragile, fragile.new_project(), pushes)
    threads = [threading.Thread(target=crowd.push, args=(name,)) for name in "abc"]
    threads.append(threading.Thread(target=crowd.pull))
    for thread in threads:
        thread.start()
    try:
        for number in range(collections):
            due = pushes * number // collections
            eventually(lambda due=due: crowd.begun >= due, within=300, what=f"{due} pushes begun")  # type: ignore[misc]
            collect(fragile.admin)
    finally:
        crowd.over.set()
        for thread in threads:
            thread.join(600)
    assert crowd.wrong == []
    assert crowd.refused["DENIED"] > 0
    assert crowd.pulls > 5 * collections
    assert len(crowd.kept) >= pushes // 2 - 3
    client = fragile.registry()
    assert all(client.pull(repository, tag).ok for tag, repository in crowd.kept.items())
    collect(fragile.admin)
    assert all(client.pull(repository, tag).ok for tag, repository in crowd.kept.items())


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
    assert f"collection {int(number) + 1}" in fragile.breakwater("gc", "run").out
    assert number in fragile.breakwater("gc", "list").out
    stopped = fragile.breakwater("gc", "stop", number)
    assert (stopped.ok, stopped.err) == (False, f"collection {number} has ended already\n")

    def recorded() -> set[str]:
        records = fragile.admin.audit(q=f"resource={number},resource_type=garbage_collection")
        return {record["operation"] for record in records}

    eventually(lambda: recorded() == {"create", "update"}, within=20, what="start and end in the record")


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
