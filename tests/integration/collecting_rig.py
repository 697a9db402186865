"""The registry under its parent, as an instance runs it; no supervisor starts it again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from compose.conf import views
from compose.conf.render import render
from compose.local import processes
from services.api.collector import Collector, Outcome
from shared.secrets import Secret
from tests.integration.broker import CHECKOUT
from tests.servers import _accepts, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from shared.registry.bucket import Bucket
    from tests.integration.registry_rig import Tokens

CREDENTIAL = Secret("the-credential-of-metadata")
PROGRAM = "/usr/bin/docker-registry"
PROGRAMS = [PROGRAM, *filter(None, [os.environ.get("BREAKWATER_REGISTRY3")])]
"""Debian's, which is 2.8, and a 3.x where there is one: what takes blobs away is the program's own."""


@dataclass
class Parent:
    """The parent's process and its folder; it can be killed and started again."""

    folder: Path
    program: str
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    heard: list[Mapping[str, Any]] = field(default_factory=list, repr=False)

    @property
    def socket(self) -> Path:
        return self.folder / "registry.sock"

    @property
    def flag(self) -> Path:
        return self.folder / "collecting"

    @property
    def storage(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        environment = {
            "PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1",
            "OTEL_TRACES_EXPORTER": "none",
            "BREAKWATER_HOME": str(self.folder), "BREAKWATER_PART": "registry",
        }  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-m", "compose.registryctl", self.folder / "registryctl.json"],
                env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        wait_for(self.answers, seconds=20, what="the registry answers")

    def answers(self) -> bool:
        """Whether it is the one that takes pushes that answers."""
        return self.socket.resolve().name == "registry-writable.sock" and _accepts(self.socket)

    def kill(self) -> None:
        """The parent alone, as kill -9 does: its children stay."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def children(self) -> dict[int, str]:
        """The processes of the house but the parent, with their command lines."""
        found = {}
        for pid in processes.of_instance(self.folder):
            with suppress(OSError):
                line = (processes.PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if "compose.registryctl" not in line and line:
                    found[pid] = line
        return found

    def child(self, word: str) -> int | None:
        """The child whose command line has this word."""
        return next((pid for pid, line in self.children().items() if word in line), None)

    def collector(self, credential: Secret = CREDENTIAL) -> Collector:
        return Collector(self.folder / "registryctl.sock", lambda: credential)

    def collect(
        self,
        *,
        dry_run: bool = False,
        credential: Secret = CREDENTIAL,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        return self.collector(credential).collect(dry_run=dry_run, hear=self.heard.append, goes_on=goes_on)

    @contextmanager
    def collecting(self) -> Iterator[list[Outcome]]:
        """A collection beside the block; its outcome is there at the end."""
        ended: list[Outcome] = []
        thread = threading.Thread(target=lambda: ended.append(self.collect()))
        thread.start()
        yield ended
        thread.join(60)
        assert not thread.is_alive()

    def end_all(self) -> None:
        if self.process is not None and self.process.poll() is None:
            stop(self.process)
        for pid in self.children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _version(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    found = re.search(r" v?(\d)\.\d", said)
    return int(found[1]) if found else 2


@contextmanager
def registry_parent(tokens: Tokens, *, program: str = PROGRAM, bucket: Bucket | None = None) -> Iterator[Parent]:
    """Started, with its storage in its folder or in a bucket; nothing of its processes is left at the end."""
    with short_folder() as folder:
        confs = {"writable": folder / "registry.yml", "readonly": folder / "registry-readonly.yml"}
        for kind, path in confs.items():
            view = views.registry(
                version=_version(program), socket=folder / f"registry-{kind}.sock", address="",
                storage=bucket or folder / "data", http_secret="0123456789abcdef", public_url=None,
                bundle=tokens.bundle, intake_url="http://127.0.0.1:9/", notification_token="none",
                readonly=kind == "readonly",
            )  # fmt: skip
            path.write_text(render("registry.yml", view))
        plan = {
            "program": program, "run": str(folder), "storage": str(folder / "data"),
            **{kind: str(path) for kind, path in confs.items()}, "bucket": asdict(bucket) if bucket else None,
            "fingerprint": hashlib.sha256(CREDENTIAL.reveal().encode()).hexdigest(),
        }  # fmt: skip
        (folder / "registryctl.json").write_text(json.dumps(plan))
        parent = Parent(folder=folder, program=program)
        try:
            parent.start()
            yield parent
        finally:
            parent.end_all()
