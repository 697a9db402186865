"""Dead letters: events that no attempt of a service could settle, and what somebody did about them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class DeadLetterEvent(Event):
    """The fields all events of dead letters share."""

    noun: ClassVar[str] = "dead_letter"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    queue: Annotated[str, "the service's queue, `audit`"]
    count: Annotated[int, "how many letters"]

    @property
    def subject(self) -> str:
        """The queue's name."""
        return self.queue


@dataclass(frozen=True, kw_only=True)
class DeadLettersRedriven(DeadLetterEvent):
    """Dead letters were given back to their service, with all attempts before them."""

    verb: ClassVar[str] = "redriven"


@dataclass(frozen=True, kw_only=True)
class DeadLettersDiscarded(DeadLetterEvent):
    """Dead letters were thrown away: their service never sees those events."""

    verb: ClassVar[str] = "discarded"
