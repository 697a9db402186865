"""podman as root uses it, with a store and a login file of its own: nothing of this machine's is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from tests.clients.docker import CannotStartError
from tests.clients.skopeo import Outcome

if TYPE_CHECKING:
    from pathlib import Path

RUNTIMES: Final = ("crun", "runc")


class Podman:
    """One user's podman; its store is his alone."""

    def __init__(self, folder: Path) -> None:
        """Raises CannotStartError where there is no podman, or no right to use one."""
        if os.geteuid() != 0:
            raise CannotStartError("podman without root needs users of its own")
        runtime = next(filter(shutil.which, RUNTIMES), None)
        if shutil.which("podman") is None or runtime is None:
            raise CannotStartError("not installed: podman, or a runtime for it")
        self._folder = folder
        self._words = (
            "podman", "--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs",
            "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", runtime,
        )  # fmt: skip

    def run(self, *arguments: str, stdin: str | None = None) -> Outcome:
        """`podman <arguments>` to its end."""
        done = subprocess.run(
            [*self._words, *arguments], input=stdin, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"REGISTRY_AUTH_FILE": str(self._folder / "auth.json")},
        )  # fmt: skip
        return Outcome(ok=done.returncode == 0, out=done.stdout, err=done.stderr)

    def login(self, registry: str, username: str, password: str) -> Outcome:
        return self.run(
            "login", "--tls-verify=false", "--username", username, "--password-stdin", registry, stdin=password
        )

    def pull(self, name: str) -> Outcome:
        return self.run("pull", "--tls-verify=false", name)

    def push(self, image: str, name: str) -> Outcome:
        return self.run("push", "--tls-verify=false", image, f"docker://{name}")
