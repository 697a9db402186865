"""What a measurement needs: a fresh instance, how much to do, and where to say what goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.system import System

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class Rig:
    """One instance under measurement; `small` asks for proof that the measurement works, not for its figure."""

    system: System
    folder: Path
    console: Console
    small: bool

    @property
    def cores(self) -> int:
        return len(os.sched_getaffinity(0))

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.system.host.rpartition(":")
        return host, int(port)

    def scaled(self, full: float, small: float) -> float:
        """The amount for this run."""
        return small if self.small else full

    def say(self, what: str) -> None:
        self.console.print(f"[dim]· {what}[/]")
