"""What the whole Python side holds in memory at rest, shared pages divided among those who share them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.cpu import command, proportional_set_size
from tests.bench.figures import Figure, Goal, Side

if TYPE_CHECKING:
    from tests.bench.rig import Rig

LIMIT: Final = 600.0
_MEGABYTE: Final = 1_000_000


def measure(rig: Rig) -> list[Figure]:
    """Every process of the instance that a Python interpreter runs, its supervisor included."""
    held: Counter[str] = Counter()
    for part, pids in rig.system.pids_by_part().items():
        for pid in pids:
            words = command(pid)
            if words and "python" in Path(f"/proc/{pid}/exe").resolve().name:
                held[part] += proportional_set_size(pid)
    total = sum(held.values()) / _MEGABYTE
    return [
        Figure(
            name="memory of the Python side at rest",
            ours=Side(what="proportional set size", value=total, unit="MB"),
            against=Side(what="allowed", value=LIMIT, unit="MB"),
            goal=Goal.AT_MOST, limit=1,
            details={"by part": ", ".join(f"{part} {size / _MEGABYTE:.0f}" for part, size in held.most_common())},
        ),
    ]
