"""Which TCP addresses a set of processes listens on, read from Linux's /proc."""

from __future__ import annotations

import ipaddress
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LISTEN: Final = "0A"


def _listening_sockets() -> Iterator[tuple[str, str, int]]:
    """Inode, address and port of every listening TCP socket."""
    for table in ("tcp", "tcp6"):
        for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                address, _, port = fields[1].partition(":")
                yield fields[9], _address(address), int(port, 16)


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's byte order."""
    words = (int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8))
    found = ipaddress.ip_address(b"".join(words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def listeners(pids: Iterable[int]) -> set[tuple[str, int]]:
    """Address and port of each listening socket that one of the processes holds."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    link = str(descriptor.readlink())
                    if link.startswith("socket:["):
                        inodes.add(link[8:-1])
    return {(address, port) for inode, address, port in _listening_sockets() if inode in inodes}
