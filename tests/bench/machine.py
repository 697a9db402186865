"""What a machine's cores are worth: on shared machines, less when all are busy than one alone."""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

_SECONDS = 0.7


def _spin(barrier: Barrier, counts: multiprocessing.Queue[int]) -> None:
    barrier.wait(30)
    count, until = 0, time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        sum(range(1_000))
        count += 1
    counts.put(count)


def _spun(processes: int) -> int:
    context = multiprocessing.get_context("spawn")
    barrier, counts = context.Barrier(processes), context.Queue()
    running = [context.Process(target=_spin, args=(barrier, counts), daemon=True) for _ in range(processes)]
    for each in running:
        each.start()
    total = sum(counts.get(timeout=60) for _ in running)
    for each in running:
        each.join(10)
    return total


def cores_worth() -> float:
    """How many times the work of one busy core all cores do together; at best their number."""
    alone = _spun(1)
    return _spun(len(os.sched_getaffinity(0))) / alone
