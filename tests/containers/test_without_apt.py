"""`./breakwater` on a system that has an engine and no way to install Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from compose.docker.scripts import SERVERS
from compose.local.options import CHECKOUT
from compose.local.parts import PARTS
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.documented import documented

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.registry import RegistryClient
    from tests.containers.stack import Stack

pytestmark = pytest.mark.timeout(2400)

LACKING = frozenset({"apt-get", "docker-registry"})

Said = "subprocess.CompletedProcess[str]"


@pytest.fixture
def breakwater(stack: Stack, tmp_path: Path) -> Callable[..., Said]:
    """The command with every program of this machine but those, and the tests' compose by the name of Debian's."""
    compose = shutil.which(stack.program)
    assert compose
    (tmp_path / "docker-compose").symlink_to(compose)
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            link = tmp_path / program.name
            if program.name not in LACKING and not link.is_symlink():
                link.symlink_to(program)

    def run(*words: str, **settings: str) -> Said:
        environment = stack.environment() | {"PATH": str(tmp_path), "COMPOSE_FILE": ":".join(stack.names)}
        return subprocess.run(
            [CHECKOUT / "breakwater", *words], env=environment | settings,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    return run


def test_operators_verbs_are_passed_on_with_their_words_and_their_exit_code(
    stack: Stack, breakwater: Callable[..., Said], tmp_path: Path
) -> None:
    verified = breakwater("audit", "verify")
    assert (verified.returncode, verified.stdout.startswith("the audit record is whole: ")) == (0, True)
    unknown = breakwater("events", "parked", "show", "no-id")
    assert unknown.returncode == 2
    assert "Usage: breakwater events parked show" in unknown.stderr
    folder = tmp_path / "a folder"
    folder.mkdir()
    taken = breakwater("backup", "--no-registry", f"{folder}/of today")
    assert taken.returncode == 0, taken.stderr
    assert [path.name for path in folder.iterdir()] == ["of today"]
    restored = breakwater("restore", f"{folder}/of today")
    assert restored.returncode == 1
    assert "there is an instance in these volumes: name another one by COMPOSE_PROJECT_NAME, or " in restored.stderr
    assert stack.ailing() == []


def test_renewed_keys_void_what_is_out_and_the_registry_takes_what_the_new_ones_sign(
    stack: Stack, breakwater: Callable[..., Said], password: str
) -> None:
    before = stack.registry(password)
    assert before.push("library/renewed", "v1", make_image("renewed")).ok
    assert answer(before) == requests.codes.ok
    done = breakwater("keys", "renew")
    assert done.returncode == 0, done.stderr
    after = stack.registry(password)
    eventually(lambda: answer(after) == requests.codes.ok, within=30, what="a pull by a new token", every=0.5)
    assert answer(before) == requests.codes.unauthorized
    assert after.push("library/renewed", "v2", make_image("renewed again")).ok


def answer(registry: RegistryClient) -> int:
    try:
        return registry.pull("library/renewed", "v1").status_code
    except (requests.RequestException, AssertionError):
        return 0


def test_up_starts_containers_and_the_other_verbs_speak_of_them(
    stack: Stack, breakwater: Callable[..., Said], password: str
) -> None:
    assert shutil.which("apt-get")
    down = breakwater("down")
    assert down.returncode == 0, down.stderr
    assert not stack.docker.run("ps", "--quiet").out
    # compose v2 makes containers anew while the log is away, and the engine asks for the file then
    assert stack.log_socket.is_socket()
    # the command that the page gives, said by the script
    start = documented("docs/containers.md", "docker compose up -d --build").fitted().removeprefix("docker ").strip()
    assert f"            {start} || exit 1\n" in (CHECKOUT / "breakwater").read_text()
    up = breakwater("up")
    assert up.returncode == 0, up.stderr
    said = up.stderr.splitlines()
    assert said[0].startswith("there is no apt-get here that installs what is missing; an engine answers: ")
    assert said[-1] == f"running: {stack.url}; docs/containers.md tells how to read the password"
    assert stack.ailing() == []
    health = requests.get(f"{stack.url}/api/v2.0/users/current", auth=("admin", password), timeout=30)
    assert health.status_code == requests.codes.ok
    status = breakwater("status")
    assert status.returncode == 0
    assert "metadata" in status.stdout
    logs = breakwater("logs")
    assert logs.returncode == 0
    assert "core.log" in logs.stdout


def test_another_setting_starts_those_servers_anew_whose_configuration_it_changes(
    stack: Stack, breakwater: Callable[..., Said], password: str
) -> None:
    assert stack.registry(password).push("library/set", "v1", make_image("set")).ok
    before = {part: stack.container(part).told["State"]["StartedAt"] for part in SERVERS}
    done = breakwater("up", BREAKWATER_DOWNLOADS="100")
    assert done.returncode == 0, done.stderr
    anew = {part for part in SERVERS if stack.container(part).told["State"]["StartedAt"] != before[part]}
    # the registry takes memory by how many there may be; compose v2 has all begin anew that wait for what changes
    assert anew == ({*SERVERS} if stack.is_v2 else {"proxy", "registry"})
    assert "limit_conn downloads 100;" in stack.run_in("proxy", "cat", "/var/lib/breakwater/conf/nginx.conf").out
    assert [part for part in SERVERS if runs_by_another(stack, part)] == []
    # back again, in the words of the page for those who use compose alone
    started = {part: stack.container(part).told["Id"] for part in PARTS}
    stack.documented(documented("docs/containers.md", "--force-recreate").fitted(), seconds=600)
    stack.await_health()
    assert [part for part in PARTS if stack.container(part).told["Id"] == started[part]] == []
    assert "limit_conn downloads 256;" in stack.run_in("proxy", "cat", "/var/lib/breakwater/conf/nginx.conf").out
    assert stack.registry(password).pull("library/set", "v1").ok


def runs_by_another(stack: Stack, part: str) -> bool:
    """Whether its configuration has changed since it was started."""
    done = stack.run_in(part, "sh", f"/var/lib/breakwater/conf/{part}.sh", "changed")
    assert not done.err, done.said
    return done.ok


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tour",), "'tour' is not there for containers: docs/containers.md tells what is"),
        (("backup", "/no/such/folder/backup"), "there is no folder /no/such/folder"),
        (("destroy",), "destroy removes all data; say it with --yes"),
        (("logs", "--level", "error"), "in containers logs knows --follow alone"),
    ],
)
def test_what_is_not_offered_there_says_so(
    breakwater: Callable[..., Said], words: tuple[str, ...], sentence: str
) -> None:
    done = breakwater(*words)
    assert (done.returncode, done.stderr.strip()) == (1, f"breakwater: {sentence}")
