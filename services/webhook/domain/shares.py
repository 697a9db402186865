"""How much each project may have in hand at once: always less than what is left free for the others.

So however many targets of however many projects are silent, another project's finds a worker. Half of the workers
serve nobody but targets whose last attempt was a quick one. Pure.
"""

from collections import Counter
from collections.abc import Collection
from datetime import timedelta
from typing import Final

QUICK: Final = timedelta(seconds=1)
"""An attempt that takes no longer, whatever comes of it, holds nobody up."""


class Shares:
    """What the workers of a process have in hand."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._unproven_workers = workers - workers // 2
        self._all: Counter[int] = Counter()
        self._unproven: Counter[int] = Counter()

    @property
    def free(self) -> int:
        """Workers that have nothing in hand."""
        return self._workers - self._all.total()

    @property
    def projects(self) -> Collection[int]:
        """Those that have something in hand."""
        return self._all.keys()

    def copy(self) -> "Shares":
        """The same, to plan with."""
        made = Shares(self._workers)
        made._all, made._unproven = self._all.copy(), self._unproven.copy()
        return made

    def admits(self, project_id: int, *, quick: bool) -> bool:
        """Whether one more attempt for a project may be begun, to a target that was quick or to another."""
        if self._all[project_id] >= self.free:
            return False
        return quick or self._unproven[project_id] < self._unproven_workers - self._unproven.total()

    def begin(self, project_id: int, *, quick: bool) -> None:
        """A worker begins."""
        self._all[project_id] += 1
        if not quick:
            self._unproven[project_id] += 1

    def end(self, project_id: int, *, quick: bool) -> None:
        """A worker has ended what it had begun like this."""
        for counted in (self._all,) if quick else (self._all, self._unproven):
            counted[project_id] -= 1
            if not counted[project_id]:
                del counted[project_id]
