"""Faults on the way of events and of the record: what is not numbered, not published, parked, or does not hold."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from services.audit.queries.checks import Check as Verification
from services.audit.queries.checks import list_checks

PATIENCE: Final = timedelta(minutes=1)
"""An event takes well under a second."""
VERIFIED_WITHIN: Final = timedelta(hours=3)
"""The audit service verifies each hour."""
_VERIFY: Final = "./breakwater audit verify; ./breakwater logs --part audit"
_YOUNG: Final = 2.0 * 3600
_OUTBOX: Final = "SELECT count(*), min(created_at), now() FROM events.outbox"
_UNPUBLISHED: Final = """
    SELECT last_sequence - published_through, now(), (
        SELECT recorded_at FROM events.log WHERE sequence > published_through ORDER BY sequence LIMIT 1
    ) FROM events.relay
"""


def outbox(patient: Patient) -> Iterator[Finding]:
    """Whether events are numbered."""
    with patient.database() as database:
        row = database.execute(_OUTBOX).fetchone()
    if row:
        waiting, oldest, now = row
        yield from judge_outbox(waiting, oldest, now)


def judge_outbox(waiting: int, oldest: datetime | None, now: datetime) -> Iterator[Finding]:
    """What waits in the outbox, and since when."""
    if oldest is not None and now - oldest > PATIENCE:
        yield broken(
            f"{waiting:,} events are not numbered; the oldest waits for {_span(now - oldest)}: the relay does not work",
            "./breakwater logs --part relay tells why",
        )


def published(patient: Patient) -> Iterator[Finding]:
    """Whether numbered events are given to the broker."""
    with patient.database() as database:
        row = database.execute(_UNPUBLISHED).fetchone()
    if row:
        waiting, now, oldest = row
        yield from judge_unpublished(waiting, oldest, now)


def judge_unpublished(waiting: int, oldest: datetime | None, now: datetime) -> Iterator[Finding]:
    """What the broker has not confirmed, and since when."""
    if oldest is not None and now - oldest > PATIENCE:
        yield broken(
            f"events are behind: {waiting:,} are not published; the oldest waits for {_span(now - oldest)}",
            "look at the broker: they arrive by themselves once it takes them; ./breakwater logs --part relay",
        )


def parked(patient: Patient) -> Iterator[Finding]:
    """Notifications of the registry that could not be accepted."""
    with patient.database() as database:
        row = database.execute("SELECT count(*) FROM events.parked").fetchone()
    if row and row[0]:
        yield warning(
            f"{row[0]:,} notifications of the registry are parked",
            "./breakwater events parked shows them with their reasons; then retry or discard each",
        )


def record(patient: Patient) -> Iterator[Finding]:
    """Whether the record's chain holds, and was looked at lately."""
    with patient.session() as session:
        checks = list_checks(session)
    alive = patient.children.get("audit")
    yield from judge_record(checks, patient.now, running_for=patient.now.timestamp() - alive.started if alive else 0)


def judge_record(checks: Sequence[Verification], now: datetime, *, running_for: float) -> Iterator[Finding]:
    """What verifying found last; `running_for` are the seconds since the audit service has started."""
    for each in checks:
        if each.broken:
            yield broken(
                f"the record does not hold: {each.broken}",
                "./breakwater audit verify names the place; keep the log and the latest backup, and compare",
            )
        elif each.scope == "recent" and running_for > _YOUNG:
            if each.verified_at is None:
                yield warning("the record was never verified", f"{_VERIFY} tells why")
            elif now - each.verified_at > VERIFIED_WITHIN:
                yield warning(
                    f"the record was not verified for {_span(now - each.verified_at)}",
                    f"{_VERIFY} tells why it was not",
                )


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 - two hours


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="outbox",
        looks_for="events that are not numbered within a minute",
        remedy="`./breakwater logs --part relay` tells why",
        ask=outbox,
    ),
    Check(
        name="publication",
        looks_for="numbered events that the broker does not get within a minute",
        remedy="look at the broker; they arrive by themselves once it takes them",
        ask=published,
    ),
    Check(
        name="parked",
        looks_for="notifications of the registry that could not be accepted",
        remedy="`./breakwater events parked`, then retry or discard each",
        ask=parked,
    ),
    Check(
        name="record",
        looks_for="a record of what was done that does not hold, or was not verified lately",
        remedy="`./breakwater audit verify` names the first link that does not hold",
        ask=record,
    ),
)
