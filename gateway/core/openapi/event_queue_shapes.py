"""What answers about the broker's queues look like; see `shapes`."""

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on


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
