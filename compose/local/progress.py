"""What a start or stop tells whoever watches: the terminal for people, nothing for tests."""

from collections.abc import Sequence
from typing import Protocol


class Watcher(Protocol):
    """Somebody who watches a start or a stop."""

    def stage(self, sentence: str) -> None:
        """A new stage has begun."""

    def waiting(self, healthy: Sequence[str], missing: Sequence[str]) -> None:
        """Some parts are well, others are waited for."""


class Nobody:
    """Watches nothing."""

    def stage(self, sentence: str) -> None:
        """See Watcher."""

    def waiting(self, healthy: Sequence[str], missing: Sequence[str]) -> None:
        """See Watcher."""
