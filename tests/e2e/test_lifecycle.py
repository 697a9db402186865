"""An instance's life, on an instance of its own: up, up again, changes, kills, down, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import requests

from compose.local import processes
from compose.local.certificate import make_certificate
from compose.local.instance import Instance, VerbFailed
from compose.local.parts import PARTS
from compose.local.supervision import Supervisor
from tests.documented import by_ci, documented, run_commands
from tests.e2e.system import System
from tests.servers import free_port, short_folder, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.fault

BROKEN_REGISTRY = """#!/bin/sh
[ "$1" != --version ] || exec echo registry v2.8.2
echo "no room on this disk"
exit 1
"""
MEMORY_LIMIT = 600 * 1024**2
"""Of all parts but the one that replicates, which has a limit of its own."""
REPLICATION_LIMIT = 80 * 1024**2
ELSEWHERE = "127.0.0.2"
"""An address of this machine that an instance has to be told of."""
TOUR = "/api/v2.0/projects/library/repositories/tour/artifacts"


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    """Started by the first test that needs it running; the tests below stand in the order of its life."""
    with short_folder() as folder:
        # what it may hold is told for a machine of two cores
        own = Instance(home=folder / "home", port=free_port(), variables={"BREAKWATER_WORKERS": "2"})
        yield own
        own.destroy()


@pytest.fixture
def running(instance: Instance) -> Instance:
    if not Supervisor(instance.layout).is_running():
        instance.up()
    return instance


def part_pids(instance: Instance) -> dict[str, int]:
    """The main process of each part."""
    return {name: child.pid for name, child in Supervisor(instance.layout).children().items()}


def healthy(instance: Instance) -> bool:
    try:
        answer = requests.get(f"{instance.url}/healthz", timeout=5)
    except requests.RequestException:
        return False
    return answer.ok


def test_first_up_starts_everything_and_takes_the_tour(instance: Instance) -> None:
    block = documented("README.md", "./breakwater up")
    said = run_commands(block.fitted(by_ci(block)), instance.environment)
    for step in ("log in as admin", "push library/tour:hello", "pull library/tour:hello", "the audit record", "stream"):
        assert step in said
    assert instance.url in said
    assert str(instance.layout.admin_password) in said
    assert "docker login" in said
    assert instance.admin_password not in said


def test_second_up_does_nothing(running: Instance) -> None:
    before = part_pids(running)
    said = run_commands(documented("docs/install.md", "./breakwater up").fitted(), running.environment)
    assert "everything runs already" in said
    assert "tour" not in said
    assert part_pids(running) == before


def test_status_shows_every_part_healthy_and_the_memory_of_python(running: Instance) -> None:
    done = running.run("status")
    assert done.returncode == 0, done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert all("healthy" in lines[part] for part in PARTS)
    assert "Python side:" in done.stdout


def test_python_side_takes_less_than_its_limit_at_rest(running: Instance) -> None:
    python = [pid for part in PARTS if part_is_python(part) and part != "replication" for pid in running.pids(part)]
    found = processes.memory([*python, Supervisor(running.layout).pid()])
    copying = processes.memory(running.pids("replication"))
    assert found.complete
    assert copying.complete
    assert found.bytes < MEMORY_LIMIT
    assert copying.bytes < REPLICATION_LIMIT


def part_is_python(part: str) -> bool:
    return part not in {"log", "postgres", "rabbitmq", "registry", "proxy"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a run without root has one user only")
def test_api_describes_itself_in_words_though_its_part_holds_none(running: Instance) -> None:
    described = requests.get(f"{running.url}/api/v2.0/openapi.json", timeout=30).json()
    operations = [each for path in described["paths"].values() for each in path.values()]
    assert len(operations) > 150
    assert all(each["summary"].endswith(".") for each in operations)


def test_no_part_runs_as_root_and_the_token_mount_runs_alone(running: Instance) -> None:
    def users(part: str) -> set[str]:
        return {(processes.PROC / str(pid)).owner() for pid in running.pids(part)}

    assert users("token") == {"breakwater-token"}
    for part in ("postgres", "rabbitmq", "registry", "log"):
        assert users(part) == {"breakwater-data"}
    for part in ("core", "events", "intake", "relay", "audit", "metadata", "webhook", "proxy"):
        assert users(part) == {"breakwater"}


@pytest.mark.skipif(os.geteuid() != 0, reason="a run without root has one user only")
def test_signing_key_is_readable_by_the_token_mount_alone(running: Instance) -> None:
    signing = running.layout.secrets / "token" / "signing"
    owners = {path.name: path.owner() for path in (signing, *signing.rglob("*"))}
    assert owners.pop("root.key") == "root"  # it certifies new signers: not even the token mount reads it
    assert {*owners.values()} == {"breakwater-token"}
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (signing, *signing.rglob("*")))


def test_no_secret_is_readable_by_everybody(running: Instance) -> None:
    public = {"bundle.pem"}
    files = [path for path in running.layout.secrets.rglob("*") if path.is_file() and path.name not in public]
    assert [path for path in files if path.stat().st_mode & 0o007] == []
    assert stat.S_IMODE(running.layout.admin_password.stat().st_mode) == 0o600


def test_no_password_stands_in_what_everybody_may_read(running: Instance) -> None:
    secrets = [
        path.read_text().strip()
        for path in running.layout.secrets.rglob("*")
        if path.name in {"admin-password", "database-password", "amqp-password", "notification-token", "http-secret"}
    ]
    readable = [
        path
        for folder in (running.layout.conf, running.layout.log)
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o004
    ]
    assert readable
    assert not [path for path in readable for secret in secrets if secret in path.read_text(errors="replace")]
    arguments = [
        (processes.PROC / str(pid) / "cmdline").read_text(errors="replace")
        for pid in processes.of_instance(running.home)
    ]
    assert not [line for line in arguments for secret in secrets if secret in line]


def test_everything_listens_on_loopback_alone(running: Instance) -> None:
    pids = {*processes.of_instance(running.home)}
    listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line.split()[3] for line in listing if any(f"pid={pid}," in line for pid in pids)]
    assert f"127.0.0.1:{running.port}" in ours
    assert all(address.rpartition(":")[0] in {"127.0.0.1", "[::1]"} for address in ours)


def test_one_request_is_followed_through_the_parts_by_its_id(running: Instance) -> None:
    name = f"follow-{time.time_ns()}"
    requests.get(f"{running.url}/api/v2.0/systeminfo", headers={"X-Request-Id": name}, timeout=10)
    requests.get(f"{running.url}/v2/library/tour/manifests/hello", headers={"X-Request-Id": name}, timeout=10)

    def parts() -> set[str]:
        said = running.run("logs", "--request-id", name).stdout
        return {line.split()[2] for line in said.splitlines() if line}

    wait_for(lambda: {"proxy", "core", "registry"} <= parts(), seconds=20, what="three parts tell of the request")


@pytest.mark.parametrize("part", ["core", "audit", "registry", "log"])
def test_killed_part_is_started_again_by_itself(running: Instance, part: str) -> None:
    before = part_pids(running)[part]
    running.kill_part(part)
    wait_for(
        lambda: part_pids(running)[part] not in {0, before} and healthy(running), seconds=60, what=f"{part} is back"
    )


def test_killed_nginx_master_leaves_no_worker_that_holds_the_port(running: Instance) -> None:
    master = part_pids(running)["proxy"]
    workers = {pid for pid, part in processes.of_instance(running.home).items() if part == "proxy"} - {master}
    assert workers
    os.kill(master, signal.SIGKILL)

    # the orphans answer until the new master takes the port from them: an answer alone does not show that it is back
    def replaced() -> bool:
        there = {pid for pid, part in processes.of_instance(running.home).items() if part == "proxy"}
        return not workers & there and there == {*running.pids("proxy")} and healthy(running)

    wait_for(replaced, seconds=60, what="a new nginx in place of the old one and its workers")
    assert part_pids(running)["proxy"] != master


def test_stopped_part_is_started_by_up_and_the_others_stay(running: Instance) -> None:
    before = part_pids(running)
    running.stop_part("metadata")
    done = running.run("status")
    assert done.returncode == 1
    assert "stopped" in done.stdout
    running.up()
    after = part_pids(running)
    assert after["metadata"] != before["metadata"]
    assert {part: pid for part, pid in after.items() if part != "metadata"} == {
        part: pid for part, pid in before.items() if part != "metadata"
    }


def test_up_on_newer_code_restarts_what_changed_and_nothing_else(running: Instance) -> None:
    state = running.layout.home / "state.json"
    fingerprints = json.loads(state.read_text())
    state.write_text(json.dumps(fingerprints | {"audit": "of older code"}))
    before = part_pids(running)
    done = running.run("up")
    assert done.returncode == 0, done.stderr
    assert "restarting what has changed: audit" in done.stdout
    after = part_pids(running)
    assert [part for part in PARTS if after[part] != before[part]] == ["audit"]
    assert json.loads(state.read_text()) == fingerprints


def test_two_changes_at_once_are_refused(running: Instance) -> None:
    with (running.layout.home / "lock").open("w") as lock:
        subprocess.run(["flock", "--exclusive", str(lock.fileno())], pass_fds=[lock.fileno()], check=True)
        done = running.run("up")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "another ./breakwater up, down or destroy of this instance is at work: wait until it ends"
    )


def test_instance_beside_another_one_is_independent(running: Instance, system: System) -> None:
    assert healthy(running)
    assert requests.get(f"{system.url}/healthz", timeout=5).ok
    assert running.layout.id != system.instance.layout.id
    login = f"{system.url}/auth/token?service=breakwater-registry"
    wrong = requests.get(login, auth=("admin", running.admin_password), timeout=10)
    assert wrong.status_code == 401


def test_taken_port_is_refused_with_the_holder_s_name(running: Instance) -> None:
    with short_folder() as folder:
        other = Instance(home=folder / "home", port=running.port)
        done = other.run("up")
    assert done.returncode == 1
    holder = f"nginx of the Breakwater at {running.home}"
    assert done.stderr.startswith(f"port {running.port} on 127.0.0.1 is taken by {holder}")


def test_running_instance_goes_on_where_it_is_told_to_move_to_a_taken_port(running: Instance, system: System) -> None:
    before = part_pids(running)
    moved = Instance(home=running.home, port=system.instance.port)
    done = moved.run("up")
    assert done.returncode == 1
    assert f"port {system.instance.port} on 127.0.0.1 is taken by nginx of the Breakwater at" in done.stderr
    assert part_pids(running) == before
    assert healthy(running)


def test_killed_as_a_whole_it_comes_up_clean_with_its_data(running: Instance) -> None:
    victims = [Supervisor(running.layout).pid(), *processes.of_instance(running.home)]
    for pid in victims:
        with suppress(ProcessLookupError):  # a child that has seen its parent end ends by itself
            os.kill(pid, signal.SIGKILL)
    processes.await_end(victims, seconds=10)
    assert not healthy(running)
    running.up()
    assert healthy(running)
    assert tags_of_the_tour(running) == ["hello"]


def test_killed_supervisor_leaves_parts_that_the_next_up_replaces(running: Instance) -> None:
    before = part_pids(running)
    pid = Supervisor(running.layout).pid()
    os.kill(pid, signal.SIGKILL)
    processes.await_end([pid], seconds=10)
    running.up()
    after = part_pids(running)
    assert not {*before.values()} & {*after.values()}
    assert not [pid for pid in before.values() if processes.alive(pid)]


def test_settings_are_remembered_by_the_home(running: Instance) -> None:
    unset = {name: value for name, value in running.environment.items() if name != "BREAKWATER_PORT"}
    command = running.command("up")
    done = subprocess.run(command, env=unset, capture_output=True, text=True, check=True, timeout=300)
    assert f"everything runs already: {running.url}" in done.stdout


def test_part_that_cannot_start_is_named_with_its_last_lines_and_nothing_is_left() -> None:
    with short_folder() as folder:
        broken = folder / "registry"
        broken.write_text(BROKEN_REGISTRY)
        broken.chmod(0o755)
        instance = Instance(
            home=folder / "home", port=free_port(), variables={"BREAKWATER_REGISTRY_PROGRAM": str(broken)}
        )
        try:
            with pytest.raises(VerbFailed) as failure:
                instance.up()
            assert "registry cannot start" in failure.value.sentence
            assert "no room on this disk" in failure.value.sentence
            assert processes.of_instance(instance.home) == {}
        finally:
            instance.destroy()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"BREAKWATER_PORT": "none"}, "BREAKWATER_PORT is not valid"),
        ({"BREAKWATER_TLS_CERT": "/nowhere/cert.pem", "BREAKWATER_TLS_KEY": "/nowhere/key.pem"}, "cannot be read"),
        ({"BREAKWATER_HOME": "/tmp/with space"}, "its name may hold letters"),  # noqa: S108 - never made
        ({"BREAKWATER_REGISTRY_PROGRAM": "/nowhere/registry"}, "/nowhere/registry cannot be run"),
        ({"BREAKWATER_HOME": "/proc/home"}, "/proc/home cannot be used: 0 MiB are free there"),
        ({"BREAKWATER_BIND": "192.0.2.1"}, "cannot listen on 192.0.2.1"),
        ({"BREAKWATER_ADMIN_PASSWORD": "x"}, "the password must have 8 to 128 characters"),
    ],
)
def test_wrong_settings_are_refused_in_one_sentence_before_anything_is_made(
    variables: dict[str, str], sentence: str
) -> None:
    with short_folder() as folder:
        done = Instance(home=folder / "home", port=free_port(), variables=variables).run("up")
        made = [path for path in folder.rglob("*") if path.name not in {"home", "lock"}]
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert made == []


def test_terminal_that_has_no_ticks_sees_the_rest(running: Instance) -> None:
    environment = running.environment | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        running.command("tour"), env=environment, capture_output=True, check=False, timeout=60, encoding="latin-1"
    )
    assert done.returncode == 0, done.stderr
    assert "? log in as admin" in done.stdout


@pytest.mark.parametrize("words", [["up", "--nonsense"], ["destroy"], ["logs", "--part", "nginx"], ["nonsense"]])
def test_wrong_usage_is_exit_code_2(running: Instance, words: list[str]) -> None:
    assert running.run(*words).returncode == 2
    assert healthy(running)


def test_down_leaves_no_process_and_up_finds_the_data_and_serves_others(running: Instance) -> None:
    running.down()
    assert processes.of_instance(running.home) == {}
    assert running.run("down").stdout.strip() == "nothing was running"
    stopped = running.run("status")
    assert stopped.returncode == 1
    assert "is stopped: ./breakwater up starts it" in stopped.stderr
    with short_folder() as folder:
        chain, key = make_certificate(folder, [ELSEWHERE], datetime.now(UTC))
        url = f"https://{ELSEWHERE}:{(port := free_port())}"
        command = documented("docs/install.md", "BREAKWATER_TLS_CERT").fitted({
            "BIND=0.0.0.0": f"BIND={ELSEWHERE}", "PORT=443": f"PORT={port}", "https://registry.example.com": url,
            "/etc/ssl/registry.pem": str(chain), "/etc/ssl/registry.key": str(key),
        })
        run_commands(command, running.environment)
        answer = requests.get(f"{url}/v2/", timeout=5, verify=chain)
        assert f'realm="{url}/' in answer.headers["WWW-Authenticate"]
        found = requests.get(f"{url}{TOUR}", timeout=5, verify=chain).json()
        assert [tag["name"] for artifact in found for tag in artifact["tags"]] == ["hello"]


def test_destroy_removes_what_it_made_and_nothing_else(running: Instance) -> None:
    mine = running.home / "notes.txt"
    mine.write_text("a person's own file")
    running.destroy()
    assert processes.of_instance(running.home) == {}
    assert [path.name for path in running.home.iterdir()] == ["notes.txt"]
    assert not running.layout.run.exists()


def tags_of_the_tour(instance: Instance) -> list[str]:
    return sorted(System(instance).registry().tags("library/tour"))
