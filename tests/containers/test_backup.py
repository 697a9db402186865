"""A backup of an instance in containers, taken while it runs, becomes an instance in other containers."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest
import requests

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.rest import RestClient
from tests.containers.stack import BUILD_SECONDS, LABEL, UP_SECONDS, ComposeFailedError, Stack
from tests.documented import documented
from tests.sentences import words_said
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

PROJECT = "breakwater-restored"
PAGE = "docs/containers.md"
KEPT, LATER = "library/kept", "library/later"
RESTORE = ("restore", "/backup/breakwater.tar")
PERSON, SECRET = "remembered", "Remembered-1"


@pytest.fixture(scope="module")
def folder(stack: Stack, admin: RestClient, password: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a backup; an image and a person are in it, another image came after it."""
    found = tmp_path_factory.mktemp("backups")
    admin.create_user(PERSON, SECRET)
    registry = stack.registry(password)
    assert registry.push(KEPT, "v1", make_image("kept by a backup", layer_size=2_000_000)).ok
    eventually(lambda: admin.artifacts(KEPT), within=30, what="it is catalogued")
    stack.documented(documented(PAGE, "operate backup").fitted({"/srv/backups": str(found)}))
    assert registry.push(LATER, "v1", make_image("after the backup")).ok
    return found


@pytest.fixture(scope="module")
def other(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An instance of which there is nothing yet."""
    other = Stack(stack.engine, tmp_path_factory.mktemp("restored"), free_port(), project=PROJECT)
    other.remove()
    try:
        yield other
    finally:
        other.remove()


def begin(stack: Stack) -> str:
    """What stands before all parts; returns what it complains of."""
    try:
        stack.compose("up", "-d", "log")
    except ComposeFailedError:
        asked, *of = words_said("docker compose logs prepare")
        return stack.compose(asked, "--no-color", *of).rpartition("|")[2].strip()
    return ""


def restoring(folder: Path) -> tuple[str, str, str]:
    """The commands of the page: the first makes images, the second lays what the third starts."""
    build, restore, start = documented(PAGE, "operate restore").fitted({"/srv/backups": str(folder)}).splitlines()
    return build, restore, start


def test_backup_is_one_file_for_its_owner_alone(folder: Path) -> None:
    (taken,) = folder.iterdir()
    assert stat.S_IMODE(taken.stat().st_mode) == 0o600


def test_restore_that_is_killed_is_not_started_and_begins_anew(other: Stack, folder: Path, tmp_path: Path) -> None:
    # it was prepared, and never started
    assert begin(other) == ""
    assert other.admin_password()
    pipe, whole = tmp_path / "pipe", folder.joinpath("breakwater.tar").read_bytes()
    os.mkfifo(pipe)
    running = subprocess.Popen(
        [other.program, *other.files, "run", "--rm", "-T", "-v", f"{tmp_path}:/backup", "operate", "restore",
         "/backup/pipe"],
        env=other.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with pipe.open("wb") as target:
            target.write(whole[: len(whole) // 2])
            target.flush()
            of_verb = ("--filter", f"label={LABEL}.project={PROJECT}", "--filter", f"label={LABEL}.oneoff=True")
            assert other.docker.run("kill", other.docker.run("ps", "--quiet", *of_verb).out.strip()).ok
    finally:
        running.wait(60)
    assert running.returncode
    assert begin(other).startswith("a restore into these volumes did not end: run it again, or ")
    build, restore, _ = restoring(folder)
    other.documented(build, seconds=BUILD_SECONDS)
    said = other.documented(restore)
    assert said.startswith("restored into these volumes: the instance as it was at ")


def test_a_second_backup_is_not_laid_over_the_first(other: Stack, folder: Path) -> None:
    done = other.operate(*RESTORE, folder=folder)
    assert not done.ok
    assert done.err.startswith("a backup lies in these volumes already, which docker compose up -d starts: ")


def test_everything_works_in_what_is_made_of_a_backup(other: Stack, folder: Path, password: str) -> None:
    _, _, start = restoring(folder)
    other.documented(start, seconds=UP_SECONDS)
    other.await_health()
    assert other.admin_password() == password
    admin, registry = other.admin(), other.registry(password)
    person = RestClient(other.url, PERSON, SECRET)
    assert person.get("/users/current")["username"] == PERSON
    assert registry.pull(KEPT, "v1").ok
    assert registry.get_manifest(LATER, "v1").status_code == requests.codes.not_found
    assert registry.push("library/anew", "v1", make_image("anew")).ok
    eventually(lambda: admin.artifacts("library/anew"), within=30, what="a push is catalogued")
    eventually(
        lambda: [row for row in admin.audit("library") if "library/anew" in row["resource"]], within=30,
        what="it is on record",
    )
    verified = other.operate("audit", "verify").out
    assert verified.startswith("the audit record is whole: ")
    # the part has told its log what it began with
    assert verified.endswith(" heads in the log agree\n")
    compared = other.operate("reconcile").out
    assert compared.endswith(": 0 differed\n"), compared


def test_images_are_brought_into_the_volume_by_hand(stack: Stack, other: Stack, password: str) -> None:
    """Out of the storage of the first instance, with an image that came after the backup."""
    registry = other.registry(password)
    assert registry.get_manifest(LATER, "v1").status_code == requests.codes.not_found
    other.documented(documented(PAGE, "--entrypoint cp").fitted({"FOLDER": str(stack.volume("registry"))}))
    assert registry.pull(LATER, "v1").ok


def test_down_leaves_the_data_but_where_it_is_told_of_volumes(other: Stack) -> None:
    """The last one."""
    def left() -> set[str]:
        mark = f"label={LABEL}.project={PROJECT}"
        return {*other.docker.run("volume", "ls", "--quiet", "--filter", mark).out.split()}

    before = left()
    assert {f"{PROJECT}_{name}" for name in ("postgres", "registry", "rabbitmq", "secrets")} <= before
    other.compose(*words_said("docker compose down"), seconds=180)
    assert left() == before
    other.compose(*words_said("docker compose down --volumes"), seconds=180)
    assert left() == set()
