"""A delivery: when it is tried again and when given up, when a target is left alone, and how a body is signed. Pure."""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID

from shared.secrets import Secret

GIVEN_UP_AFTER: Final = timedelta(days=1)
KEPT: Final = timedelta(days=14)
"""How long the record of a delivery is kept after its end."""
MOST_WAITING: Final = 10_000
"""Deliveries that wait for one target; what comes on top is recorded as failed and not sent."""

_PAUSES: Final = tuple(timedelta(seconds=each) for each in (10, 30, 60, 300, 900, 1_800, 3_600))
_PATIENCE: Final = 5
"""Failures in a row after which a target is left alone for a while; in silence the second is the last."""
_FIRST_REST: Final = timedelta(seconds=30)
_LONGEST_REST: Final = timedelta(minutes=10)

DELIVERY_HEADER: Final = "X-Breakwater-Delivery"
EVENT_HEADER: Final = "X-Breakwater-Event"
SIGNATURE_HEADER: Final = "X-Breakwater-Signature"


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """To be sent, for the first time or again."""
    SUCCESS = "success"
    """The target has answered with success."""
    ERROR = "error"
    """Given up."""


class Trigger(StrEnum):
    """Why there is a delivery; the words are those of Harbor's executions."""

    EVENT = "EVENT"
    """Something happened."""
    MANUAL = "MANUAL"
    """Somebody tries the policy out."""


class Fault(StrEnum):
    """Whose fault a failure is."""

    TARGET = "target"
    """It cannot be reached, or says that it cannot: the next delivery would fare no better."""
    SILENT = "silent"
    """The same, and finding out took all the time that there is for it."""
    DELIVERY = "delivery"
    """It answers, and does not want this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A delivery that is ours to send until the lease ends, and all that sending it takes."""

    lease: UUID
    delivery_id: int
    uid: UUID
    number: int
    """Which attempt this is, from 1."""
    target_id: int
    policy_id: int
    project_id: int
    quick: bool
    """Whether the target's last attempt was."""
    address: str
    skip_cert_verify: bool
    auth_header: str | None = field(repr=False)
    """Sealed, as the secret is."""
    signing_secret: str | None = field(repr=False)
    event_type: str
    content_type: str
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How an attempt went. The texts have no secret in them."""

    fault: Fault | None
    """None where it went well."""
    message: str
    request: str
    response: str
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """What is known of a target's health."""

    failures: int = 0
    open_until: datetime | None = None

    def after(self, fault: Fault | None, *, now: datetime, chance: float) -> "Breaker":
        """What is known after another attempt; whoever answers at all is alive. `chance` is from 0 to 1."""
        if fault not in {Fault.TARGET, Fault.SILENT}:
            return Breaker()
        failures = self.failures + 1
        if fault is Fault.SILENT:
            failures = max(failures, _PATIENCE - 1)
        if failures < _PATIENCE:
            return Breaker(failures=failures)
        rest = min(_FIRST_REST * 2 ** min(failures - _PATIENCE, 20), _LONGEST_REST)
        return Breaker(failures=failures, open_until=now + rest * (0.5 + chance / 2))


def next_attempt(number: int, *, now: datetime, expires_at: datetime, chance: float) -> datetime | None:
    """When to try again after attempt `number` has failed; None where the day is over. `chance` is from 0 to 1."""
    pause = _PAUSES[min(number, len(_PAUSES)) - 1] * (0.75 + chance / 2)
    due = now + pause
    return due if due <= expires_at else None


def signature(secret: Secret, *, timestamp: int, uid: UUID, body: bytes) -> str:
    """The value of the signature header: `t=<seconds>,v1=<hex>`, the HMAC-SHA256 of `<seconds>.<delivery>.<body>`."""
    signed = f"{timestamp}.{uid}.".encode() + body
    return f"t={timestamp},v1={hmac.new(secret.reveal().encode(), signed, sha256).hexdigest()}"
