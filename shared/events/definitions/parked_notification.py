"""Parked notifications: what the registry sent and the intake could not accept, and what somebody did about it."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class ParkedNotificationEvent(Event):
    """The fields all events of parked notifications share."""

    noun: ClassVar[str] = "parked_notification"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    parked_id: Annotated[str, "the notification's id among the parked"]
    reason: Annotated[str, "why it was parked"]

    @property
    def subject(self) -> str:
        """The notification's id among the parked."""
        return self.parked_id


@dataclass(frozen=True, kw_only=True)
class ParkedNotificationAccepted(ParkedNotificationEvent):
    """A parked notification was taken in after all."""

    verb: ClassVar[str] = "accepted"

    events: Annotated[int, "how many events came of it that were not known yet"] = 0


@dataclass(frozen=True, kw_only=True)
class ParkedNotificationDiscarded(ParkedNotificationEvent):
    """A parked notification was thrown away."""

    verb: ClassVar[str] = "discarded"
