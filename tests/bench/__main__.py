"""`./breakwater bench`: a fresh instance, the measurements in turn, a table, a JSON file, and nothing left behind."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from compose.local.instance import Instance
from tests.bench import api, costs, detour, events, intake, lists, memory, portal, replication, tokens, transfers
from tests.bench.figures import Figure, show, write
from tests.bench.machine import cores_worth
from tests.bench.rig import Rig
from tests.e2e.system import System
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MEASUREMENTS: Final[Mapping[str, Callable[[Rig], list[Figure]]]] = {
    "memory": memory.measure,
    "tokens": tokens.measure,
    "transfers": transfers.measure,
    "detour": detour.measure,
    "intake": intake.measure,
    "events": events.measure,
    "replication": replication.measure,
    "api": api.measure,
    "lists": lists.measure,
    "portal": portal.measure,
    "costs": costs.measure,
}

IN_TWO: Final = frozenset({"api", "lists"})
"""Measured in two instances in turn."""
LOOPBACK: Final = "127.0.0.0/8"
"""Where the registries are that are replicated to."""
_TERMINATED: Final = 143


def run(names: Sequence[str], *, small: bool, console: Console) -> list[Figure]:
    """Starts an instance on free loopback ports, measures, and removes it."""
    figures: list[Figure] = []
    with short_folder() as home, tempfile.TemporaryDirectory() as folder:
        instance = Instance(home=home / "home", port=free_port(), variables={"BREAKWATER_OUTBOUND_ALLOW": LOOPBACK})
        console.print("[dim]· an instance of its own is started[/]")
        try:
            instance.up()
            rig = Rig(system=System(instance).as_compared(), folder=Path(folder), console=console, small=small)
            with ExitStack() as stack:
                if small and IN_TWO.intersection(names):
                    # what one measurement leaves there would change the next one's figures alone
                    rig = replace(rig, shared=stack.enter_context(rig.second()))
                for name in names:
                    figures += MEASUREMENTS[name](rig)
        finally:
            instance.destroy()
    return figures


def main() -> int:
    """Exit code 0 when every goal was met, 1 when one was not."""
    parser = argparse.ArgumentParser(prog="breakwater bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure this alone; may be repeated")
    parser.add_argument("--small", action="store_true", help="little work: shows that it runs, not how fast")
    parser.add_argument("--json", type=Path, required=True, help="where the figures are written")
    given = parser.parse_args()
    console = Console()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))  # an end like any other: the instance goes as well
    worth = cores_worth()
    console.print(f"[dim]· all cores together do {worth:.2f} times the work of one[/]")
    # in this order, however they are asked for: some fill the instance with rows that others must not find
    chosen = [name for name in MEASUREMENTS if name in (given.only or MEASUREMENTS)]
    figures = run(chosen, small=given.small, console=console)
    show(figures, console)
    write(figures, given.json, cores_worth=worth, small=given.small)
    console.print(f"written to {given.json}")
    return 0 if given.small or all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
