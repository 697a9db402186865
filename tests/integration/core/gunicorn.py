"""The core mount as it runs: gunicorn with threads behind a unix socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from tests.integration.conftest import Database
from tests.servers import short_folder, stop, wait_for

ROOT = Path(__file__).parents[3]


class UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("breakwater.test", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(
    path: Path, method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[HTTPResponse, bytes]:
    """One request on a connection of its own; the target goes out as it is written."""
    connection = UnixConnection(path)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@dataclass(frozen=True)
class Core:
    """A running core mount: its socket, and the file its log lines go to."""

    socket: Path
    log: Path


@contextmanager
def core(database: Database, *, workers: int = 1, variables: dict[str, str] | None = None) -> Iterator[Core]:
    """A gunicorn with the core mount; `variables` are settings beside those that say where its database is."""
    with short_folder() as folder:
        path = folder / "core.sock"
        environment = {
            "PATH": os.environ["PATH"],
            "BREAKWATER_HOME": str(database.server.home),
            "BREAKWATER_RUN": str(database.server.run),
            "BREAKWATER_PART": "core",
            "BREAKWATER_DATABASE_PORT": str(database.server.port),
            "BREAKWATER_DATABASE_NAME": database.name,
            **(variables or {}),
        }
        log = (folder / "log").open("wb")
        process = subprocess.Popen(
            [
                sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", str(workers), "--threads", "8",
                "--no-control-socket", "--bind", f"unix:{path}", "gateway.core.app:application()",
            ],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: _answers(path), seconds=30, what="gunicorn answers")
            yield Core(path, folder / "log")
        finally:
            stop(process)
            log.close()


def _answers(path: Path) -> bool:
    try:
        return ask(path, "GET", "/api/v2.0/ping")[0].status == 200
    except OSError:
        return False
