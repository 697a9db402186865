"""A backup is taken of an instance at work, and everything works in the instance that is made of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from compose.local.instance import Instance
from shared.locks import STORAGE_LOCK
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.documented import documented, run_commands
from tests.e2e.conftest import end
from tests.e2e.system import System
from tests.sentences import words_said
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with short_folder() as found:
        yield found


@pytest.fixture(scope="module")
def system(folder: Path) -> Iterator[System]:
    instance = Instance(home=folder / "one", port=free_port())
    try:
        instance.up()
        yield System(instance).as_compared()
    finally:
        end(instance)


@pytest.fixture
def other(folder: Path) -> Iterator[Instance]:
    """A home with nothing in it."""
    instance = Instance(home=folder / "other", port=free_port())
    try:
        yield instance
    finally:
        end(instance)
        shutil.rmtree(instance.layout.home, ignore_errors=True)


@pytest.fixture(scope="module")
def backup(system: System, folder: Path) -> Path:
    """Taken while somebody pushes."""
    system.registry().push("library/kept", "v1", make_image("kept"))
    stop, pushed = threading.Event(), list[int]()

    def push() -> None:
        registry = system.registry()
        while not stop.is_set():
            registry.push("library/busy", f"v{len(pushed)}", make_image(f"busy {len(pushed)}"))
            pushed.append(len(pushed))

    pushing = threading.Thread(target=push)
    pushing.start()
    try:
        eventually(lambda: len(pushed) > 5, within=60, what="pushes go on")
        done = system.instance.run("backup", str(folder / "backup"))
    finally:
        stop.set()
        pushing.join()
    assert done.returncode == 0, done.stderr
    assert (folder / "backup").stat().st_mode & 0o777 == 0o600
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    return folder / "backup"


def test_everything_works_in_what_is_made_of_a_backup(system: System, backup: Path, other: Instance) -> None:
    person = system.new_person()  # after the backup: unknown to it
    done = other.run(*words_said("./breakwater restore FILE", {"FILE": str(backup)}))
    assert done.returncode == 0, done.stderr
    restored = System(other)
    assert restored.admin_password == system.admin_password
    assert restored.login(restored.admin_name, restored.admin_password) == 200
    assert restored.login(person.name, person.password) == 401
    for repository in ("library/kept", "library/busy"):
        for tag in restored.registry().tags(repository):
            assert restored.registry().pull(repository, tag).status_code == 200
    assert len(restored.registry().tags("library/busy")) > 5
    assert other.run("audit", "verify").returncode == 0
    assert other.run("reconcile").returncode == 0
    artifacts = "/projects/library/repositories/busy/artifacts?page_size=100"
    listed = {tag["name"] for each in restored.admin.get(artifacts) for tag in each["tags"]}
    assert listed == set(restored.registry().tags("library/busy"))
    restored.registry().push("library/new", "v1", make_image("new"))
    eventually(
        lambda: restored.admin.send("GET", "/projects/library/repositories/new/artifacts/v1").ok,
        within=30, what="a push is catalogued",
    )
    [(double,)] = restored.rows("SELECT count(*) - count(DISTINCT event_id) FROM audit.records")
    assert double == 0


def test_what_the_broker_had_not_passed_on_is_passed_on_by_the_restored_instance(
    system: System, folder: Path, other: Instance
) -> None:
    system.instance.stop_part("audit")
    try:
        system.registry().push("library/unheard", "v1", make_image("unheard"))
        eventually(
            lambda: system.rows("SELECT 1 FROM events.relay r WHERE published_through ="
                                " (SELECT max(sequence) FROM events.log)"),
            within=20, what="the broker has all",
        )  # fmt: skip
        assert system.instance.run("backup", str(folder / "unheard")).returncode == 0
    finally:
        system.start_part("audit")
    done = other.run("restore", str(folder / "unheard"))
    assert done.returncode == 0, done.stderr
    restored = System(other)
    pushed = "SELECT count(*) FROM audit.records WHERE operation = 'create' AND repository = 'library/unheard'"
    eventually(lambda: restored.rows(pushed) == [(1,)], within=30, what="the push is recorded")
    assert other.run("audit", "verify").returncode == 0


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_newer_version_is_pulled_and_started_after_a_backup(
    system: System, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a clone that stands in for this checkout: that one may be changed by nobody while its tests run."""
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    origin, clone = tmp_path / "origin", tmp_path / "clone"

    def git(*words: str) -> None:
        whoever = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
        subprocess.run(["git", *whoever, *words], check=True, capture_output=True, timeout=30)

    git("init", str(origin))
    git("-C", str(origin), "commit", "--allow-empty", "--message", "older")
    git("clone", str(origin), str(clone))
    origin.joinpath("CHANGELOG.md").write_text("newer")
    git("-C", str(origin), "add", ".")
    git("-C", str(origin), "commit", "--message", "newer")
    file = folder / "before-newer"
    commands = documented("docs/install.md", "git pull").fitted({"FILE": str(file)})
    said = run_commands(commands, system.instance.environment, folder=clone)
    assert clone.joinpath("CHANGELOG.md").read_text() == "newer"
    assert tarfile.is_tarfile(file)
    assert "everything runs already" in said


def test_the_storage_may_stay_where_it_is(system: System, folder: Path, other: Instance) -> None:
    system.registry().push("library/apart", "v1", make_image("apart"))
    assert system.instance.run("backup", "--no-registry", str(folder / "apart")).returncode == 0
    done = other.run("restore", str(folder / "apart"))
    assert (done.returncode, str(system.instance.layout.registry) in done.stderr) == (1, True)
    shutil.copytree(system.instance.layout.registry, other.layout.registry)
    done = other.run("restore", str(folder / "apart"))
    assert done.returncode == 0, done.stderr
    assert System(other).registry().pull("library/apart", "v1").status_code == 200


def test_a_restore_that_was_broken_off_is_not_started_and_can_be_run_again(backup: Path, other: Instance) -> None:
    whole = backup.read_bytes()
    half = backup.with_name("half")
    half.write_bytes(whole[: len(whole) // 2])
    done = other.run("restore", str(half))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "not whole" in done.stderr
    done = other.run("up", "--no-tour")
    assert (done.returncode, "did not end" in done.stderr) == (1, True)
    assert other.run("restore", "--no-start", str(backup)).returncode == 0
    assert not other.layout.restoring_flag.exists()


def test_a_backup_waits_for_no_collection_of_garbage(system: System, folder: Path) -> None:
    with system.database() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [STORAGE_LOCK])
        done = system.instance.run("backup", str(folder / "during"))
        assert (done.returncode, "garbage is being collected" in done.stderr) == (1, True), done.stderr
    assert not [path for path in folder.iterdir() if "during" in path.name or path.name.startswith(".")]


def test_a_backup_that_is_told_to_end_leaves_nothing_and_a_killed_one_what_the_next_removes(
    system: System, folder: Path
) -> None:
    place = folder / "ended"
    place.mkdir()
    for number, code, left in ((signal.SIGTERM, 143, 0), (signal.SIGKILL, -9, 1)):
        with subprocess.Popen(
            system.instance.command("backup", str(place / "never")), env=system.instance.environment, cwd="/",
            stdout=subprocess.DEVNULL,
        ) as running:  # fmt: skip
            eventually(lambda: [*place.glob(".*/lock")], within=60, every=0.01, what="the backup has begun")
            running.send_signal(number)
            assert running.wait(30) == code
        assert len([*place.iterdir()]) == left
    assert system.instance.run("backup", str(place / "taken")).returncode == 0
    assert [path.name for path in place.iterdir()] == ["taken"]


def test_a_blob_that_was_changed_in_the_file_is_named_and_nothing_is_started(
    backup: Path, other: Instance
) -> None:
    content = bytearray(backup.read_bytes())
    with tarfile.open(backup) as archive:
        blob = next(member for member in archive if member.name.endswith("/data"))
    content[blob.offset_data] ^= 1
    changed = backup.with_name("changed")
    changed.write_bytes(content)
    done = other.run("restore", str(changed))
    assert (done.returncode, done.stderr) == (1, f"{blob.name} in the backup was changed after it was made\n")
    assert other.layout.restoring_flag.exists()


def test_a_backup_or_a_restore_that_cannot_be_is_refused_in_one_sentence(
    system: System, backup: Path, folder: Path, other: Instance
) -> None:
    for words, told in (
        (("backup", str(backup)), "exists already"),
        (("restore", str(backup)), "there is an instance in"),
    ):
        done = system.instance.run(*words)
        assert (done.returncode, told in done.stderr, done.stderr.count("\n")) == (1, True, 1), done.stderr
    folder.joinpath("text").write_text("no backup")
    for file, told in (("text", "no backup of Breakwater"), ("absent", "No such file")):
        done = other.run("restore", str(folder / file))
        assert (done.returncode, told in done.stderr, done.stderr.count("\n")) == (1, True, 1), done.stderr
    done = other.run("backup", str(folder / "never"))
    assert (done.returncode, "there is no instance" in done.stderr) == (1, True)
    assert not folder.joinpath("never").exists()
