"""What the parent is told at its start: one rendered file that nobody but its own account may read."""

import json
from pathlib import Path
from typing import NamedTuple


class Plan(NamedTuple):
    """Where everything is. A tuple, as dataclasses would cost this process a megabyte."""

    program: str
    writable: str
    """Configuration of the registry that takes pushes."""
    readonly: str
    """Configuration of the one that stands in for it."""
    run: str
    """The folder of sockets and flags."""
    storage: str
    fingerprint: str
    """SHA-256, in hexadecimal, of the credential by which it may be commanded."""
    bucket: dict[str, str] | None = None
    """What a `shared.registry.bucket.Bucket` is made of, where the storage is one."""

    @property
    def front(self) -> Path:
        """Where everybody finds the registry: a link to the socket of the one that answers."""
        return Path(self.run, "registry.sock")

    @property
    def writable_socket(self) -> Path:
        """Of the registry that takes pushes."""
        return Path(self.run, "registry-writable.sock")

    @property
    def readonly_socket(self) -> Path:
        """Of the one that stands in for it."""
        return Path(self.run, "registry-readonly.sock")

    @property
    def control(self) -> Path:
        """Where commands are taken."""
        return Path(self.run, "registryctl.sock")

    @property
    def flag(self) -> Path:
        """While it exists the proxy refuses pushes."""
        return Path(self.run, "collecting")


def read_plan(path: str) -> Plan:
    """The plan in a file."""
    return Plan(**json.loads(Path(path).read_text(encoding="utf-8")))
