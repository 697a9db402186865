"""Ports: free ones, kept ones, and who holds a taken one."""

import errno
import json
import socket
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from compose.local import processes

PORTS = "ports.json"
"""Where an instance keeps its ports."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The loopback ports of an instance, for what cannot use a unix socket."""

    amqp: int
    distribution: int
    epmd: int
    intake: int


def kept_ports(file: Path) -> Ports | None:
    """The ports that this instance had, or None where there are none to read."""
    try:
        return Ports(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def settle_ports(file: Path) -> Ports:
    """Keep the ports this instance had; pick another one for each that is taken."""
    kept = kept_ports(file)
    chosen: dict[str, int] = {}
    for field in fields(Ports):
        port = getattr(kept, field.name) if kept else 0
        if not port or port in chosen.values() or not is_free("127.0.0.1", port):
            port = _free_port(avoiding=chosen.values())
        chosen[field.name] = port
    ports = Ports(**chosen)
    if ports != kept:
        file.write_text(json.dumps(asdict(ports)) + "\n", encoding="utf-8")
    return ports


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens on this address and port. Raises OSError where they cannot be listened on at all."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def holder(port: int) -> int | None:
    """The process that listens on a TCP port; None where it cannot be seen."""
    return processes.owner_of(_listening_inodes(port))


def _free_port(*, avoiding: Iterable[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in set(avoiding):
            return port


def _listening_inodes(port: int) -> frozenset[int]:
    listening = "0A"
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == listening and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(int(columns[9]))
    return frozenset(found)
