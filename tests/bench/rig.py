"""What a measurement needs: a fresh instance, how much to do, and where to say what goes on."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compose.local.instance import Instance
from tests.e2e.system import System
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One instance under measurement; `small` asks for proof that the measurement works, not for its figure."""

    system: System
    folder: Path
    console: Console
    small: bool
    shared: System | None = None
    """Another instance that is there already."""

    @property
    def cores(self) -> int:
        return len(os.sched_getaffinity(0))

    @property
    def address(self) -> tuple[str, int]:
        return address_of(self.system)

    def scaled(self, full: float, small: float) -> float:
        """The amount for this run."""
        return small if self.small else full

    def say(self, what: str) -> None:
        self.console.print(f"[dim]· {what}[/]")

    @contextmanager
    def second(self) -> Iterator[System]:
        """Another instance, for what is to be measured in turn: a minute's difference in what else the machine does is
        larger than what is looked for.
        """
        if self.shared:
            yield self.shared
            return
        with short_folder() as home:
            instance = Instance(home=home / "home", port=free_port())
            self.say("a second instance is started")
            try:
                instance.up()
                yield System(instance).as_compared()
            finally:
                instance.destroy()


def address_of(system: System) -> tuple[str, int]:
    """Where an instance's proxy answers."""
    host, _, port = system.host.rpartition(":")
    return host, int(port)
