"""The registry's parent, which alone collects garbage, as the metadata service speaks to it.

A line of JSON asks, lines of JSON answer; the connection is what the parent goes by: when it closes, it breaks off.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.api.domain.retention import Status
from shared.errors import Unavailable
from shared.secrets import Secret

BEAT_SECONDS: Final = 2.0
_CONNECT_SECONDS: Final = 5.0
_LONGEST: Final = 64 * 1024
_ENDED: Final = {"Success": Status.SUCCESS, "Stopped": Status.STOPPED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a collection ended."""

    status: Status
    reason: str = ""
    blobs: int = 0
    freed: int = 0


class Collector:
    """Asks for collections, one after the other."""

    def __init__(self, control: Path, credential: Callable[[], Secret]) -> None:
        self._control = control
        self._credential = credential

    def collect(
        self, *, dry_run: bool, hear: Callable[[Mapping[str, Any]], None], goes_on: Callable[[], bool]
    ) -> Outcome:
        """Collect, and return when the registry takes pushes again.

        `hear` gets what is said meanwhile; `goes_on` is asked every few seconds, and its denial breaks off.
        Raises Unavailable where nobody is there to ask, ConfigurationError where there is no credential to ask with.
        """
        request = {"secret": self._credential().reveal(), "collect": "dry-run" if dry_run else "for-good"}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_CONNECT_SECONDS)
            try:
                connection.connect(str(self._control))
                connection.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise Unavailable("the registry's parent, which collects garbage, does not answer here") from error
            for message in self._messages(connection, goes_on):
                if "ended" in message:
                    return _outcome(message)
                hear(message)
        return Outcome(status=Status.ERROR, reason="the registry's parent has ended")

    def _messages(self, connection: socket.socket, goes_on: Callable[[], bool]) -> Iterator[Mapping[str, Any]]:
        """What is said, until the connection closes."""
        connection.settimeout(BEAT_SECONDS)
        buffer, asked, broken_off = b"", time.monotonic(), False
        while True:
            if time.monotonic() >= asked + BEAT_SECONDS:
                asked = time.monotonic()
                if not goes_on() and not broken_off:
                    broken_off = True
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_WR)
            try:
                chunk = connection.recv(_LONGEST)
            except TimeoutError:
                continue
            except OSError:
                return
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)


def _outcome(message: Mapping[str, Any]) -> Outcome:
    return Outcome(
        status=_ENDED.get(message["ended"], Status.ERROR),
        reason=str(message.get("reason", "")),
        blobs=int(message.get("blobs", 0)),
        freed=int(message.get("freed", 0)),
    )
