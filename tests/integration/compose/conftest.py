"""A real nginx on the rendered configuration, in front of upstreams that tell what reached them."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compose.conf import views
from compose.conf.render import render
from shared.replicas import numbered
from tests.integration.compose.echo import Behaviour, Upstream
from tests.integration.compose.patients import NOW, Elsewhere, never_started
from tests.servers import free_port, short_folder, start, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from compose.local.doctor.patient import Patient
    from compose.local.site import Site
    from tests.integration.broker import Broker
    from tests.integration.conftest import Database

NAMES = {"registry": "registry", "core": "core", "token": "token", "events": "stream"}


@dataclass(frozen=True)
class Proxy:
    """The running proxy: its port, its folder, what lies behind it."""

    folder: Path
    port: int
    upstreams: dict[str, Upstream]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def readonly_flag(self) -> Path:
        return self.folder / "readonly"

    @property
    def collecting_flag(self) -> Path:
        return self.folder / "collecting"

    @property
    def frozen_flag(self) -> Path:
        return self.folder / "frozen"

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are: clients tidy paths up before they send them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer

    def get(self, path: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """A request whose path is sent as written: status, headers and body of the answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: registry.test:8080", "Connection: close", *headers, "", ""]
        head, _, body = self.raw("\r\n".join(lines).encode("latin-1")).partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in rest)
        return int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body


@contextmanager
def running_proxy(
    *,
    public_url: str | None = None,
    tls: views.Certificate | None = None,
    redirect: views.Redirect | None = None,
    replicas: int = 1,
    downloads: int = 256,
) -> Iterator[Proxy]:
    """nginx with four upstreams, all but the registry of so many servers; nothing of it is left afterwards."""
    with short_folder() as folder:
        port = free_port()
        folder.chmod(0o777)  # workers of root's nginx are somebody else
        folder.joinpath("tmp").mkdir(mode=0o777)
        folder.joinpath("tmp").chmod(0o777)
        servers = {
            name: [numbered(file, each) for each in range(1, 2 if name == "registry" else replicas + 1)]
            for name, file in NAMES.items()
        }
        upstreams = {
            numbered(name, number): Upstream(name, folder / f"{file}.sock")
            for name, files in servers.items() for number, file in enumerate(files, start=1)
        }
        text = render(
            "nginx.conf",
            views.proxy(
                listen=f"127.0.0.1:{port}",
                upstreams={name: [f"unix:{folder}/{file}.sock" for file in files] for name, files in servers.items()},
                public_url=public_url,
                tls=tls,
                redirect=redirect,
                pid_file=folder / "pid",
                temporary=folder / "tmp",
                readonly_flag=folder / "readonly",
                collecting_flag=folder / "collecting",
                frozen_flag=folder / "frozen",
                status_socket=folder / "proxy-status.sock",
                transfers=folder / "transfers",
                access_log=f"{folder}/access.log",
                open_files=1024,
                downloads=downloads,
                workers="1",
            ),
        )
        folder.joinpath("nginx.conf").write_text(text)
        process = start(
            [shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx", "-e", "stderr", "-c", folder / "nginx.conf"],
            log=folder / "log",
        )
        try:
            wait_for(lambda: _listens(port), seconds=10, what="nginx answers")
            yield Proxy(folder, port, upstreams)
        finally:
            stop(process)
            for upstream in upstreams.values():
                upstream.close()


def nginx_version() -> tuple[int, int]:
    said = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True).stderr
    major, minor, *_ = said.rpartition("/")[2].split(".")
    return int(major), int(minor)


@pytest.fixture(scope="module")
def shared_proxy() -> Iterator[Proxy]:
    with running_proxy() as proxy:
        yield proxy


@pytest.fixture
def proxy(shared_proxy: Proxy) -> Proxy:
    """The module's proxy, with upstreams that have seen nothing and simply answer."""
    for upstream in shared_proxy.upstreams.values():
        upstream.behaviour = Behaviour()
        upstream.requests.clear()
    shared_proxy.readonly_flag.unlink(missing_ok=True)
    shared_proxy.collecting_flag.unlink(missing_ok=True)
    shared_proxy.frozen_flag.unlink(missing_ok=True)
    return shared_proxy


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return never_started(tmp_path)


@pytest.fixture
def stored(database: Database, site: Site) -> Patient:
    return Elsewhere(site=site, now=NOW, at=database.settings)


@pytest.fixture
def queued(rabbit: Broker, site: Site) -> Patient:
    return Elsewhere(site=site, now=NOW, at=rabbit.settings)
