"""A docker engine of the tests' own and its command line: the real thing, where root and the kernel allow one.

It leaves the host's network alone (no bridge, no iptables rules), as pulling and pushing need none; but for an engine
that is told to run containers: that one takes back, when it ends, what it did to the host's network.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tests.clients.polling import eventually
from tests.clients.skopeo import Outcome

if TYPE_CHECKING:
    from types import TracebackType

READY_WITHIN: Final = 40
PROGRAMS: Final = ("docker", "dockerd", "containerd")
BRIDGE: Final = "172.29.77.1/24"
FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")


class CannotStartError(Exception):
    """This machine has no engine, or forbids starting one; the text says which."""


class DockerEngine:
    """A private dockerd on a unix socket; as a context manager it is gone afterwards, images and all."""

    def __init__(self, folder: Path, *, images: Path | None = None) -> None:
        """With a folder for images it runs containers too, and the images are there for the next engine."""
        self._folder = folder
        self._images = images
        self._network = HostNetwork() if images else None
        self.host = f"unix://{folder / 'docker.sock'}"
        self.root = str(images or folder / "data")
        self._log = folder / "dockerd.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise CannotStartError(f"not installed: {', '.join(missing)}")
        if os.geteuid() != 0:
            raise CannotStartError("an engine needs root")
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "daemon.json"
        kept = {"data-root": self.root, "bip": BRIDGE, "ip6tables": False}
        passing = {
            "data-root": self.root, "bridge": "none", "storage-driver": "vfs",
            "iptables": False, "ip6tables": False, "ip-forward": False,
        }
        settings.write_text(json.dumps(kept if self._images else passing))
        if self._network:
            self._network.note()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd", "--config-file", str(settings), "--exec-root", str(self._folder / "exec"),
                    "--host", self.host, "--pidfile", str(self._folder / "dockerd.pid"),
                ],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        try:
            eventually(self._answers_or_died, within=READY_WITHIN, what="the docker engine answers", every=0.2)
        except AssertionError as error:
            self.stop()
            raise CannotStartError(str(error)) from error
        if self._process.poll() is not None:
            raise CannotStartError(self._log.read_text(errors="replace")[-2000:])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers_or_died(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        return self.client(self._folder / "probe").run("version").ok

    def stop(self) -> None:
        """Asks the engine to end, insists after ten seconds, and removes its data."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(10)
        self._process = None
        if self._network:
            self._network.restore()
        shutil.rmtree(self._folder, ignore_errors=True)

    def client(self, config: Path) -> DockerClient:
        """The command line with a login file of its own."""
        return DockerClient(self.host, config)


class HostNetwork:
    """What an engine with containers changes of the host's network, and how it was before."""

    def __init__(self) -> None:
        self._rules = b""
        self._forwarding = ""

    def note(self) -> None:
        """Before the engine starts."""
        self._rules = subprocess.run(["iptables-save"], capture_output=True, check=True, timeout=10).stdout
        self._forwarding = FORWARDING.read_text()

    def restore(self) -> None:
        """After it ended: its rules, its bridge, and the forwarding that it switched on."""
        for table in ("filter", "nat"):
            if f"*{table}\n".encode() not in self._rules:
                # there was none: the engine's chains are all that is in it
                for option in ("--flush", "--delete-chain"):
                    subprocess.run(["iptables", "-t", table, option], capture_output=True, check=False, timeout=10)
        subprocess.run(
            ["iptables", "--policy", "FORWARD", "ACCEPT"], capture_output=True, check=False, timeout=10
        )
        subprocess.run(["iptables-restore"], input=self._rules, capture_output=True, check=False, timeout=10)
        subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False, timeout=10)
        FORWARDING.write_text(self._forwarding)


class DockerClient:
    """One user's `docker` at the engine."""

    def __init__(self, host: str, config: Path) -> None:
        self._host = host
        self._config = config

    def run(self, *arguments: str, stdin: bytes | None = None, timeout: float = 120) -> Outcome:
        """`docker <arguments>` to its end."""
        done = subprocess.run(
            ["docker", "--host", self._host, "--config", str(self._config), *arguments],
            input=stdin, capture_output=True, timeout=timeout, check=False,
        )
        return Outcome(
            ok=done.returncode == 0, out=done.stdout.decode(errors="replace"), err=done.stderr.decode(errors="replace"),
        )

    def login(self, registry: str, username: str, password: str) -> Outcome:
        return self.run("login", "--username", username, "--password-stdin", registry, stdin=password.encode())

    def logout(self, registry: str) -> Outcome:
        return self.run("logout", registry)

    def import_image(self, tarball: bytes, name: str) -> Outcome:
        """Makes a one-layer image out of a tarball."""
        return self.run("import", "-", name, stdin=tarball)
