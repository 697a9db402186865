"""A containerd of the tests' own and its command line `ctr`, as nodes of a cluster have it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Final, Self

from tests.clients.docker import CannotStartError
from tests.clients.polling import eventually
from tests.clients.skopeo import Outcome

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PROGRAMS: Final = ("containerd", "ctr")
READY_WITHIN: Final = 30


class Containerd:
    """A private containerd at a unix socket; as a context manager it is gone afterwards, images and all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise CannotStartError(f"not installed: {', '.join(missing)}")
        if os.geteuid() != 0:
            raise CannotStartError("containerd needs root")
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = self._folder / "config.toml"
        # what asks for the kernel's rights or the network's is not needed to push and pull
        settings.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        with self._folder.joinpath("log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "containerd", "--config", str(settings), "--root", str(self._folder / "root"),
                    "--state", str(self._folder / "state"), "--address", self._address,
                ],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            eventually(lambda: self.run("version").ok, within=READY_WITHIN, what="containerd answers", every=0.2)
        except AssertionError as error:
            self._stop()
            raise CannotStartError(str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def _address(self) -> str:
        return str(self._folder / "containerd.sock")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, *arguments: str) -> Outcome:
        """`ctr <arguments>` to its end."""
        done = subprocess.run(
            ["ctr", "--address", self._address, *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        return Outcome(ok=done.returncode == 0, out=done.stdout, err=done.stderr)

    def pull(self, name: str, username: str, password: str) -> Outcome:
        return self.run(
            "images", "pull", "--plain-http", "--snapshotter", "native", "--user", f"{username}:{password}", name
        )

    def push(self, name: str, username: str, password: str) -> Outcome:
        return self.run("images", "push", "--plain-http", "--user", f"{username}:{password}", name)
