"""Which workers may serve which targets: half of them are kept for those that were quick when they were last asked.

However many targets are silent or slow, and whoever owns them, the others are served at once.
"""

from datetime import timedelta
from typing import Final

from services.webhook.domain.delivery import Claim, Outcome

QUICK: Final = timedelta(seconds=1)
"""An attempt that takes no longer, whatever comes of it, holds nobody up."""


class Lanes:
    """What is known of the targets, until the process ends: then each has to show anew that it is quick."""

    def __init__(self, workers: int) -> None:
        self._free = workers - workers // 2
        self._quick: set[int] = set()
        self._in_hand: set[int] = set()

    @property
    def quick(self) -> frozenset[int]:
        """The targets that any worker may serve."""
        return frozenset(self._quick)

    @property
    def free(self) -> int:
        """How many of the others may be begun now."""
        return self._free - len(self._in_hand)

    def begin(self, claim: Claim) -> None:
        """A worker begins with a claim."""
        if claim.target_id not in self._quick:
            self._in_hand.add(claim.target_id)

    def end(self, claim: Claim, outcome: Outcome | None) -> None:
        """A worker has ended, without an outcome where something went wrong here."""
        self._in_hand.discard(claim.target_id)
        if outcome is None or outcome.finished_at - outcome.started_at > QUICK:
            self._quick.discard(claim.target_id)
        else:
            self._quick.add(claim.target_id)
