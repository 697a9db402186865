"""The whole in containers as its tests see it: started by compose from the checkout, watched by the engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pexpect
import yaml

from compose.local.options import CHECKOUT
from compose.local.parts import PARTS
from tests.clients.polling import NeverCameTrueError, settled
from tests.clients.registry import RegistryClient
from tests.clients.rest import RestClient
from tests.clients.skopeo import Outcome
from tests.documented import documented

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.clients.docker import DockerClient, DockerEngine

DOCKER: Final = CHECKOUT / "compose" / "docker"
FILES: Final = ("compose.yaml", "compose.offline.yaml")
PROJECT: Final = "breakwater-test"
PROGRAM: Final = os.environ.get("BREAKWATER_TEST_COMPOSE") or "docker-compose"
"""The compose that the tests run: Debian's, where no other one is named."""
BASE: Final = f"breakwater-base:{hashlib.sha256((DOCKER / 'base.sh').read_bytes()).hexdigest()[:12]}"
"""One for each way of making it: images are kept for the next run, and the old base would be taken for the new one."""
PROGRESS: Final = re.compile(r"Creating | (Container|Network|Volume) \S+ {2}\w+$")
"""A line by which compose tells what it makes: 1.29 and v2."""
LABEL: Final = "com.docker.compose"
IMAGES: Final = (("log", "prepare", "registry"), ("postgres", "rabbitmq", "proxy"))
"""The services whose images are built, by the file that tells how: the older builder makes all that stands above."""
QUICK: Final = ("log", "postgres")
"""Parts that others wait for: compose.yaml itself has them asked often."""
ASKED_OFTEN: Final = {"healthcheck": {"interval": "4s"}}
"""What the tests wait for again and again; in all else, an instance of theirs is what the product's files say."""
UP_SECONDS: Final = 240
BUILD_SECONDS: Final = 1500
"""Where nothing was built before: Debian's packages for six images, on two cores."""


def is_v2(program: str) -> bool:
    """Whether a program is compose v2; one that is not there is not."""
    try:
        done = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip().removeprefix("v").startswith("2.")


class ComposeFailedError(AssertionError):
    """A command of compose ended with an exit code; the text is what it said."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """What the engine tells of a part's container."""

    told: dict[str, Any]

    @property
    def pid(self) -> int:
        """Of its first process, as this machine counts them."""
        return int(self.told["State"]["Pid"])

    @property
    def healthy(self) -> bool:
        state = self.told["State"]
        return self.running and state.get("Health", {}).get("Status") == "healthy"

    @property
    def running(self) -> bool:
        return bool(self.told["State"]["Running"])

    @property
    def restarts(self) -> int:
        return int(self.told["RestartCount"])

    @property
    def published(self) -> list[str]:
        """The ports of this machine that lead to it."""
        ports = self.told["NetworkSettings"]["Ports"] or {}
        return [f"{each['HostIp']}:{each['HostPort']}" for bound in ports.values() for each in bound or []]

    @property
    def volumes(self) -> set[str]:
        return {mount["Name"].removeprefix(f"{PROJECT}_") for mount in self.told["Mounts"] if mount["Type"] == "volume"}

    def status(self) -> dict[str, str]:
        """What the kernel tells of its first process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class Stack:
    """One project of compose on an engine of the tests' own."""

    def __init__(
        self, engine: DockerEngine, folder: Path, port: int, *, project: str = PROJECT, form: Sequence[str] = FILES,
        files: Sequence[str] = (), program: str = PROGRAM, **settings: str,
    ) -> None:
        """`files` are those of compose beside the form's."""
        self.project = project
        self.program = program
        self.engine = engine
        folder.mkdir(exist_ok=True)
        often = folder / "often.yaml"
        often.write_text(yaml.safe_dump({"services": {part: ASKED_OFTEN for part in PARTS if part not in QUICK}}))
        self.names = [str(DOCKER / name) for name in (*form, *files)] + [str(often)]
        # as words of compose's command
        self.files = [word for name in self.names for word in ("-f", name)]
        self.docker: DockerClient = engine.client(folder / "docker")
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self._settings = {
            "COMPOSE_PROJECT_NAME": project, "BREAKWATER_PORT": str(port), "BREAKWATER_BIND": "127.0.0.1",
            "BREAKWATER_ENGINE_ROOT": engine.root, "BREAKWATER_BASE": BASE, **settings,
        }

    @cached_property
    def is_v2(self) -> bool:
        """Whether compose is the one in Go, which makes all containers before it starts one."""
        return is_v2(self.program)

    def compose(self, *words: str, seconds: float = 120) -> str:
        """`docker-compose …` with the files of this form; returns what it printed."""
        done = subprocess.run(
            [self.program, *self.files, *words],
            env=self.environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=seconds,
        )
        if done.returncode:
            raise ComposeFailedError(f"{self.program} {' '.join(words)}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
        return done.stdout

    def documented(self, commands: str, *, seconds: float = 120) -> str:
        """Commands as a page has them, one a line, with the files of this form; what the last one printed."""
        said = ""
        for line in commands.splitlines():
            docker, compose, *words = shlex.split(line, comments=True)
            assert (docker, compose) == ("docker", "compose"), line
            said = self.compose(*words, seconds=seconds)
        return said

    def operate(self, *words: str, folder: Path | None = None, given: str = "", seconds: float = 120) -> Outcome:
        """A verb as an operator says it, whatever its exit code, with a folder of the machine at /backup."""
        mounted = ["-v", f"{folder}:/backup"] if folder else []
        done = subprocess.run(
            [self.program, *self.files, "run", "--rm", "-T", *mounted, "operate", *words],
            env=self.environment(), input=given, capture_output=True, text=True, check=False, timeout=seconds,
        )
        # compose tells what it makes, and with which exit code the container has ended
        said = [line for line in done.stderr.splitlines() if not PROGRESS.match(line)]
        if said and said[-1] == str(done.returncode):
            said.pop()
        return Outcome(ok=done.returncode == 0, out=done.stdout, err="\n".join(said))

    def at_a_terminal(self, words: Sequence[str], answers: Mapping[str, str], *, seconds: float = 120) -> str:
        """`docker-compose …` by a person who answers these questions in their order; what the screen has shown."""
        screen = io.StringIO()
        with pexpect.spawn(
            self.program, [*self.files, *words], env=self.environment(), encoding="utf-8", timeout=seconds,
        ) as terminal:  # fmt: skip
            terminal.logfile_read = screen
            for question, answer in answers.items():
                terminal.expect_exact(question)
                terminal.sendline(answer)
            terminal.expect(pexpect.EOF)
        if terminal.exitstatus:
            raise ComposeFailedError(f"{self.program} {' '.join(words)}:\n{screen.getvalue()[-6000:]}")
        return screen.getvalue()

    def environment(self) -> dict[str, str]:
        """What a command of compose for this project is run with."""
        # docker-compose is in Python too, and its package has the name of our folder
        foreign = ("BREAKWATER_", "PYTHON")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return inherited | self._settings | self._of_the_engine()

    def _of_the_engine(self) -> dict[str, str]:
        # the older builder is in every engine, the newer one a package of its own
        return {"DOCKER_HOST": self.engine.host, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}

    def need_base(self) -> None:
        """The Debian base, made where this engine's images do not have it."""
        if self.docker.run("image", "inspect", BASE).ok:
            return
        # those that were made in another way; what stands on them goes with the next builds
        older = self.docker.run("images", "--format", "{{.Repository}}:{{.Tag}}", BASE.partition(":")[0]).out.split()
        if older:
            self.docker.run("rmi", *older)
        # the other line names the files, as this class does by itself
        block = documented("docs/containers.md", "sh base.sh")
        command, _ = block.fitted({"base.sh breakwater-base ": f"base.sh {BASE} "}).splitlines()
        done = subprocess.run(
            ["sh", "-ec", command], cwd=DOCKER, env=os.environ | self._of_the_engine(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=900,
        )
        if done.returncode:
            raise ComposeFailedError(f"base.sh:\n{done.stderr[-4000:]}")

    def build(self) -> None:
        """Make every image whose contents have changed."""
        self.need_base()
        # a build leaves its stages behind: those of last week serve nobody
        self.docker.run("image", "prune", "--force", "--filter", "until=168h")
        with ThreadPoolExecutor(len(IMAGES)) as both:
            list(both.map(lambda services: self.compose("build", *services, seconds=BUILD_SECONDS), IMAGES))

    def up(self) -> None:
        """Start everything, wait until all is healthy."""
        try:
            self.compose("up", "-d", seconds=UP_SECONDS)
        except ComposeFailedError as error:
            # who ends with a complaint has said why: prepare, before there is a log, to the engine
            said = [self.compose("logs", "--tail", "20", "prepare"), *self.lines("migrate")[-20:]]
            raise ComposeFailedError("\n".join([str(error), *said])) from error
        self.await_health()

    def await_health(self) -> None:
        try:
            settled(self.ailing, [], within=UP_SECONDS, what="every part is healthy", every=0.5)
        except NeverCameTrueError as error:
            said = "\n".join(line for part in self.ailing() for line in self.lines(part)[-20:])
            raise NeverCameTrueError(f"{error}\n{said}") from error

    def ailing(self) -> list[str]:
        """The parts that are not healthy."""
        return [part for part in PARTS if not self.container(part).healthy]

    def remove(self) -> None:
        """Containers, volumes and networks; the images stay."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", seconds=180)

    def container(self, service: str, number: int = 1) -> Container:
        """Of several equal ones the one that compose has given this number."""
        marks = {"project": self.project, "service": service, "oneoff": "False", "container-number": str(number)}
        labels = [word for name, value in marks.items() for word in ("--filter", f"label={LABEL}.{name}={value}")]
        found = self.docker.run("ps", "--all", "--quiet", *labels)
        assert found.ok, found.said
        done = self.docker.run("inspect", found.out.split()[0])
        assert done.ok, done.said
        return Container(told=json.loads(done.out)[0])

    def kill(self, service: str, number: int = 1) -> None:
        """From outside: `docker kill` would count as the wish of somebody who wants it stopped."""
        os.kill(self.container(service, number).pid, signal.SIGKILL)

    def run_in(self, service: str, *words: str, number: int = 1) -> Outcome:
        return self.docker.run("exec", self.container(service, number).told["Id"], *words, timeout=60)

    def volume(self, name: str) -> Path:
        """Where the engine has it on this machine."""
        return Path(self.engine.root, "volumes", f"{self.project}_{name}", "_data")

    @property
    def log_socket(self) -> Path:
        """Where the engine has it."""
        return self.volume("lines") / "log.sock"

    def lines(self, part: str) -> list[str]:
        """What the log has kept of a part."""
        done = self.run_in("log", "cat", f"/var/lib/breakwater/log/{part}.log")
        return done.out.splitlines() if done.ok else []

    def admin_password(self) -> str:
        """As docs/containers.md tells to read it."""
        file = "/var/lib/breakwater/secrets/admin-password"
        return self.compose("run", "--rm", "-T", "--entrypoint", "cat", "operate", file).strip()

    def admin(self) -> RestClient:
        return RestClient(self.url, "admin", self.admin_password())

    def registry(self, password: str) -> RegistryClient:
        return RegistryClient(self.url, "admin", password)
