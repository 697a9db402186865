"""What answers about the broker's queues look like; see `shapes`."""

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from gateway.core.openapi.shapes import Time


class EventQueueEntry(TypedDict):
    """A service's queue in numbers of messages, and of processes that take from it."""

    name: str
    waiting: int
    consumers: int
    retrying: int
    dead_letters: int


class DeadLetterEntry(TypedDict):
    """A message that no attempt could settle."""

    id: str
    queue: str
    routing_key: str
    code: str
    reason: str
    attempts: int
    failed_at: str


class OpenedDeadLetter(DeadLetterEntry):
    """The same with what it says."""

    body: str


class SettledCount(TypedDict):
    """How many were settled."""

    count: int


class ParkedNotificationEntry(TypedDict):
    """What the registry sent and the intake could not accept."""

    id: str
    received_time: Time
    reason: str
    address: str
    size: int


class OpenedParkedNotification(ParkedNotificationEntry):
    """The same with what was sent."""

    body: str


class SettledParked(TypedDict):
    """How many were taken in or thrown away, how many stay, and how many events came of it."""

    count: int
    still_malformed: int
    events: int
