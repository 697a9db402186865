"""What one process has counted and not told yet. Any thread may count; nothing here waits, and nothing is forgotten."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from shared.metrics.figures import SUM, Counter, State, Timing

_Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One value on its way to the database."""

    name: str
    labels: tuple[str, ...]
    value: float
    adds: bool
    """Whether it is added to what was told before, or takes its place."""
    rises: bool = False
    """Whether it takes the place only of what is less."""


class Tally:
    """Belongs to one process."""

    def __init__(self) -> None:
        self._sums: dict[_Key, float] = {}
        self._states: dict[_Key, float] = {}
        self._rising: set[str] = set()
        self._lock: Final = Lock()

    def count(self, counter: Counter, *labels: str, by: int = 1) -> None:
        """Something has happened, once or several times."""
        if by:
            with self._lock:
                self._add((counter.name, labels), by)

    def time(self, timing: Timing, seconds: float, *labels: str) -> None:
        """Something has taken so long."""
        bound = timing.names[bisect_left(timing.bounds, seconds)]
        with self._lock:
            self._add((timing.name, (*labels, bound)), 1)
            self._add((timing.name, (*labels, SUM)), seconds)

    def set(self, state: State, value: float, *labels: str) -> None:
        """Something is so now."""
        with self._lock:
            self._states[state.name, labels] = value
            if state.rises:
                self._rising.add(state.name)

    def take(self) -> list[Told]:
        """All that was not told yet."""
        with self._lock:
            sums, self._sums = self._sums, {}
            states, self._states = self._states, {}
        return [
            *(Told(name=name, labels=labels, value=value, adds=True) for (name, labels), value in sums.items()),
            *(
                Told(name=name, labels=labels, value=value, adds=False, rises=name in self._rising)
                for (name, labels), value in states.items()
            ),
        ]

    def put_back(self, untold: Iterable[Told]) -> None:
        """What could not be told is kept for the next time; a state that is known better by now is not."""
        with self._lock:
            for told in untold:
                key = (told.name, told.labels)
                if told.adds:
                    self._add(key, told.value)
                else:
                    self._states.setdefault(key, told.value)

    def _add(self, key: _Key, value: float) -> None:
        self._sums[key] = self._sums.get(key, 0) + value
