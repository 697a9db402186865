"""What a process counts of its own work: the one list of it. Who counts is known by its database role, and is no label.

The values of every label come from the code, never from a client: there is a bounded number of series.
"""

from dataclasses import dataclass, field
from typing import Final

SUM: Final = "sum"
"""Stands in the place of a bound for the sum of all seconds."""
BEYOND: Final = "+Inf"
"""Stands in the place of a bound for what took longer than the last one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """Something that happens, and is added up over all processes of a part and over their restarts."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long something takes, in seconds, by upper bounds."""

    name: str
    meaning: str
    bounds: tuple[float, ...]
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False)
    """Of the bounds, and of what lies beyond the last one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", (*map(str, self.bounds), BEYOND))


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Something as it is now; what a process of the part has told last holds."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    rises: bool = False
    """It never falls: of what several processes tell, the highest holds."""


Figure = Counter | Timing | State

HTTP_REQUESTS: Final = Counter(
    name="http_requests",
    meaning="Requests answered by a mount of the gateway or the intake; not those that nginx or the registry answer by"
    " themselves.",
    labels=("area", "method", "status"),
)
HTTP_SECONDS: Final = Timing(
    name="http_request_seconds",
    meaning="How long a mount or the intake took until its answer began.",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    labels=("area",),
)
REGISTRY_REQUESTS: Final = Counter(
    name="registry_requests",
    meaning="Requests of a part to the registry (pushed manifests, lists, what catalogue and replication look at), by"
    " the status of the answer, none where there was none. Those of clients are no part's.",
    labels=("method", "status"),
)
REGISTRY_SECONDS: Final = Timing(
    name="registry_request_seconds",
    meaning="How long the registry took until its answer to a part began, or until it was given up.",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    labels=("method",),
)
TRANSFERS: Final = Counter(
    name="transfers",
    meaning="Requests of clients that go to the registry itself: blobs, uploads, and manifests that are read.",
    labels=("kind", "method", "status"),
)
TRANSFER_SECONDS: Final = Timing(
    name="transfer_seconds",
    meaning="How long such requests took that were not refused, until a client had all of the answer.",
    bounds=(0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0),
    labels=("kind", "method"),
)
TRANSFERRED: Final = Counter(
    name="transferred_bytes",
    meaning="Bytes of such requests and of their answers, heads included: received from clients, and sent to them.",
    labels=("direction",),
)
TOKENS: Final = Counter(
    name="tokens",
    meaning="Requests for tokens, by what was shown for them and how they ended: issued, or the code of the refusal.",
    labels=("grant", "outcome"),
)
NOTIFICATIONS: Final = Counter(
    name="notifications",
    meaning="The registry's notifications: requests taken, put off because the database is away, or not authenticated;"
    " and single events parked.",
    labels=("outcome",),
)
PUBLISHED: Final = Counter(
    name="events_published", meaning="Events that the broker has confirmed, by type.", labels=("type",)
)
CONSUMED: Final = Counter(
    name="events_consumed",
    meaning="Events taken from the part's queue: done, to be tried again later, or put among the dead letters.",
    labels=("outcome",),
)
BATCH_SECONDS: Final = Timing(
    name="event_batch_seconds",
    meaning="How long a part took for a batch of events, waiting for what is away included.",
    bounds=(0.01, 0.05, 0.25, 1.0, 5.0, 30.0),
)
DELIVERIES: Final = Counter(
    name="webhook_attempts",
    meaning="Attempts to deliver a webhook, by the state in which they left the delivery.",
    labels=("state",),
)
INTERRUPTIONS: Final = Counter(
    name="interruptions",
    meaning="How often a part's endless work broke off and was begun again: broker or database went away, or a fault.",
    labels=("work",),
)
DISK_TOTAL: Final = State(name="disk_bytes", meaning="Size of the disk of the registry's storage.")
DISK_FREE: Final = State(name="disk_free_bytes", meaning="What is free on the disk of the registry's storage.")
HANDLED_THROUGH: Final = State(
    name="event_sequence_handled", meaning="The highest number of an event that the part has taken and settled.",
    rises=True,
)

FIGURES: Final[tuple[Figure, ...]] = (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    REGISTRY_REQUESTS,
    REGISTRY_SECONDS,
    TRANSFERS,
    TRANSFER_SECONDS,
    TRANSFERRED,
    TOKENS,
    NOTIFICATIONS,
    PUBLISHED,
    CONSUMED,
    BATCH_SECONDS,
    DELIVERIES,
    INTERRUPTIONS,
    DISK_TOTAL,
    DISK_FREE,
    HANDLED_THROUGH,
)
