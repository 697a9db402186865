"""`breakwater events follow` as it is typed."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.auth.passwords import hash_password
from tests.clients.polling import eventually
from tests.integration.conftest import Database
from tests.integration.stream.conftest import CODE, PASSWORD, World, event_mount
from tests.integration.verbs import verb
from tests.servers import free_port


def environment(home: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "COLUMNS": "200",
        "BREAKWATER_HOME": str(home),
        "BREAKWATER_PORT": str(port),
    }


@contextmanager
def following(home: Path, port: int, log: Path, *arguments: str, password: str | None = None) -> Iterator[Path]:
    """The command while it runs; yields the file of what it prints."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            verb("events", "follow", *arguments),
            cwd=CODE,
            env=environment(home, port),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(f"{password or ''}\n".encode())
        process.stdin.close()
        try:
            yield log
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    secrets = tmp_path / "home" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "admin-password").write_text(PASSWORD + "\n")
    return tmp_path / "home"


def port_of(world: World) -> int:
    return int(world.url.rpartition(":")[2])


def test_it_prints_one_line_an_event(world: World, home: Path, tmp_path: Path) -> None:
    project = world.project()
    first = world.push(project, tag="v1")
    with following(home, port_of(world), tmp_path / "out", "--since", str(first - 1), "--project", project) as printed:
        eventually(lambda: f"{project}/app:v1" in printed.read_text(), within=15, what="the first line")
        world.push(project, tag="v2")
        eventually(lambda: f"{project}/app:v2" in printed.read_text(), within=10, what="the second line")
        lines = printed.read_text().splitlines()
    assert len(lines) == 2
    assert "artifact.pushed" in lines[0]
    assert lines[0].endswith(f"{project}/app:v1 by alice from 192.0.2.7")


def test_it_resumes_without_gap_or_double_when_the_server_is_started_again(
    database: Database, home: Path, tmp_path: Path
) -> None:
    world = World(database)
    name = world.user(admin=True)
    port = free_port()
    arguments = ("--json", "--user", name, "--password-stdin", "--type", "artifact.pushed")

    def tags() -> list[str]:
        found = [line for line in (tmp_path / "out").read_text().splitlines() if line.startswith("{")]
        return [json.loads(line)["data"]["tag"] for line in found]

    with event_mount(database, tmp_path, port=port) as url:
        world = World(database, url)
        follower = following(home, port, tmp_path / "out", *arguments, password=PASSWORD)
        follower.__enter__()
        eventually(lambda: world.push("library", tag="first") and tags(), within=20, what="the first event")
        seen = tags()
    world.push("library", tag="while away")
    with event_mount(database, tmp_path, port=port):
        world.push("library", tag="after")
        eventually(lambda: tags()[-1:] == ["after"], within=30, what="the event after")
        follower.__exit__(None, None, None)
    assert tags()[len(seen) :].count("while away") == 1
    assert tags()[-2:] == ["while away", "after"]


def test_a_password_is_sent_as_it_is_written_in_whatever_letters(world: World, home: Path, tmp_path: Path) -> None:
    name = world.user(admin=True)
    password = "Żółć1€ é"
    world.sql("UPDATE core.users SET password_hash = %s WHERE username = %s", hash_password(password), name)
    with following(
        home, port_of(world), tmp_path / "out", "--user", name, "--password-stdin", "--since", "0", password=password
    ) as log:
        last = world.push("library", tag="unicode")
        eventually(lambda: f"{last} " in log.read_text(), within=15, what="the event is shown")


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        (["--since", "yesterday"], "", "'yesterday' is no time"),
        (["--type", "artifact.eaten"], "", "no event has the type 'artifact.eaten'"),
        (["--project", "NO"], "", "is not a project name"),
        (["--user", "nobody", "--password-stdin"], "wrong", "incorrect username or password"),
    ],
)
def test_a_refusal_is_one_sentence_and_exit_code_1(
    world: World, home: Path, arguments: list[str], password: str, sentence: str
) -> None:
    done = subprocess.run(
        verb("events", "follow", *arguments),
        cwd=CODE,
        env=environment(home, port_of(world)),
        input=f"{password}\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr
