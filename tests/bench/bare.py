"""The bare registry behind the same nginx: what a push and a pull cost with no tokens, no gate and no notifications.

Its nginx runs the instance's own rendered configuration; only the addresses differ, and manifest writes go to the
registry.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.cpu import descendants
from tests.servers import free_port, registry, short_folder, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class UnknownConfigurationError(Exception):
    """The rendered nginx configuration no longer has the form that this module rewrites."""


@dataclass(frozen=True, kw_only=True)
class Bare:
    """A running one: host:port, and the processes of the registry and its nginx."""

    address: str
    pids: tuple[int, ...]


def _replaced(text: str, pattern: str, replacement: str) -> str:
    changed, found = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    if not found:
        raise UnknownConfigurationError(f"nothing matches {pattern!r} in the rendered nginx.conf")
    return changed


def rewritten(rendered: str, *, folder: Path, port: int, socket: Path) -> str:
    """The instance's nginx configuration, with another registry behind it and no gate."""
    text = _replaced(rendered, r"^(\s+listen) [^;]+;", rf"\1 127.0.0.1:{port};")
    text = _replaced(text, r"^pid [^;]+;", f"pid {folder}/nginx.pid;")
    text = _replaced(text, r"^(\s+\w+_temp_path) [^;]+/(\w+);", rf"\1 {folder}/\2;")
    text = _replaced(text, r"^(\s+)(PUT|DELETE) core;", r"\1\2 registry;")
    text = _replaced(text, r"^(\s+access_log) \S+ line ", rf"\1 {folder}/access.log line ")
    return _replaced(text, r"(upstream registry \{[^}]*server )\S+", rf"\g<1>unix:{socket}")


@contextmanager
def bare_registry(rendered_nginx: Path) -> Iterator[Bare]:
    """Started, and stopped at the end."""
    before = {*descendants(os.getpid())}
    with short_folder() as folder, registry() as socket:
        folder.chmod(0o777)
        socket.chmod(0o666)
        port = free_port()
        configuration = folder / "nginx.conf"
        text = rewritten(rendered_nginx.read_text(), folder=folder, port=port, socket=socket)
        configuration.write_text(text)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["chrt", "-b", "0", "nginx", "-e", "stderr", "-p", str(folder), "-c", str(configuration)],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        try:
            wait_for(lambda: _answers(port), seconds=10, what="the bare registry's nginx answers")
            pids = tuple(pid for pid in descendants(os.getpid()) if pid not in before)
            yield Bare(address=f"127.0.0.1:{port}", pids=pids)
        finally:
            stop(process)


def _answers(port: int) -> bool:
    probe = ["curl", "-s", "-o", "/dev/null", "--max-time", "2", f"http://127.0.0.1:{port}/v2/"]
    return subprocess.run(probe, check=False).returncode == 0


def fresh_seed() -> str:
    """A seed that no earlier run used."""
    return secrets.token_hex(8)
