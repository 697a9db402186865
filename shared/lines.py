"""The log's socket: asking whether it takes lines, and giving it one.

By the standard library alone, as this is used where little is loaded.
"""

import fcntl
import socket
import struct
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

SECONDS: Final = 1.5
_BETWEEN_LOOKS: Final = 0.02
_USER_ERROR: Final = 1 * 8 + 3
"""The priority of RFC 3164: facility "user", severity "error"."""


def takes_lines(path: Path, *, seconds: float = SECONDS) -> bool:
    """Whether somebody takes what is sent to a datagram socket: an empty datagram, which is no line."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.settimeout(seconds)
        try:
            probe.connect(str(path))
            probe.send(b"")
        except OSError:
            return False
        while _untaken(probe):
            if time.monotonic() > deadline:
                return False
            time.sleep(_BETWEEN_LOOKS)
    return True


def tell(path: Path, program: str, sentence: str, *, seconds: float = SECONDS) -> None:
    """Have the log keep what a program has to complain of; where there is no log, nothing happens."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(seconds)
        sender.connect(str(path))
        sender.send(f"<{_USER_ERROR}>{program}: {sentence}".encode())


def _untaken(sent_by: socket.socket) -> int:
    """What of that which was sent has not been read (SIOCOUTQ of unix(7))."""
    return int(struct.unpack("i", fcntl.ioctl(sent_by, termios.TIOCOUTQ, bytes(4)))[0])
