"""A registry whose storage is slow, as one over a network is: it notifies of a push before it has written the tag."""

from __future__ import annotations

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from tests.clients.images import make_image
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.system import System

SLOW_SECONDS: Final = 1.0


@contextmanager
def slowly_written(system: System, path: Path, said: Path) -> Iterator[None]:
    """Meanwhile the registry waits a second whenever it makes sure that this file is on the disk."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace here")
    slow = f"inject=fsync:delay_enter={SLOW_SECONDS * 1e6:.0f}"
    words = [strace, "-f", "-o", str(said), "-P", str(path), "-e", "trace=fsync", "-e", slow]
    for pid in system.instance.pids("registry"):
        words += ["-p", str(pid)]
    told = said.with_suffix(".err")
    with told.open("wb") as errors, subprocess.Popen(words, stderr=errors) as process:
        try:
            eventually(lambda: "attached" in told.read_text() or process.poll() is not None, within=10, what="attached")
            if process.poll() is not None:
                pytest.skip(f"no process may be traced here: {told.read_text()}")
            yield
        finally:
            process.terminate()
    assert "DELAYED" in said.read_text(), "nothing was slow"


def test_who_is_told_of_a_tag_finds_what_it_names_now(fragile: System, tmp_path: Path) -> None:
    project = fragile.new_project()
    repository, before, after = f"{project}/app", make_image(f"{project}/1"), make_image(f"{project}/2")
    registry = fragile.registry()
    assert registry.push(repository, "v1", before).status_code == requests.codes.created
    eventually(lambda: named(fragile, repository) == before.digest, within=10, what="the first push is catalogued")

    tag = fragile.settings.storage / f"docker/registry/v2/repositories/{repository}/_manifests/tags/v1"
    link, first_written = tag / "current/link", tag / f"index/{after.digest.replace(':', '/')}/link"
    assert link.read_text() == before.digest
    with fragile.stream(fragile.admin, project=project) as stream:
        with slowly_written(fragile, first_written, tmp_path / "strace"), ThreadPoolExecutor() as client:
            began = time.monotonic()
            pushing = client.submit(registry.push, repository, "v1", after)
            told = stream.wait_for(lambda event: tells_of(event, after.digest), within=10, what="the push is told of")
            told_after = time.monotonic() - began
            assert link.read_text() == after.digest
            assert pushing.result().status_code == requests.codes.created
        assert SLOW_SECONDS < told_after < SLOW_SECONDS + 5
    assert told["data"]["tag"] == "v1"
    eventually(lambda: named(fragile, repository) == after.digest, within=10, what="the tag is catalogued")


def tells_of(event: dict[str, Any], digest: str) -> bool:
    return event["type"] == "breakwater.artifact.pushed.v1" and event["data"]["digest"] == digest


def named(system: System, repository: str) -> str | None:
    """The digest that the catalogue has for the tag."""
    return next(
        (row["digest"] for row in system.admin.artifacts(repository)
         if any(tag["name"] == "v1" for tag in row["tags"] or ())),
        None,
    )  # fmt: skip
