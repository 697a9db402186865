"""Adding to the record, and purging what is old. The caller commits; a batch is one transaction."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, select, text
from sqlalchemy.orm import Session

from services.audit.domain.chain import ENTRY_FIELDS, Anchor, ChainKey, Head, Link
from services.audit.domain.record import entry_of, is_recorded
from services.audit.errors import ChainBroken, PurgeRefused
from services.audit.tables import anchors, chain, days, records
from shared.events import Envelope, EventContext, emit
from shared.events.definitions.audit import AuditPurged
from shared.events.envelope import rfc3339

YOUNGEST_PURGED: Final = timedelta(hours=1)
PARTITIONS_AHEAD: Final = timedelta(days=31)
DAYS_KEPT: Final = timedelta(days=90)

_TAKE_HEAD: Final = text("SELECT sequence, recorded_at, mac, held FROM audit.take_head(CAST(:ids AS uuid[]))")
_LOCK_HEAD: Final = text("SELECT sequence, recorded_at, mac FROM audit.lock_head()")
_APPEND: Final = text("SELECT audit.append(CAST(:batch AS jsonb))")
_PREPARE: Final = text("SELECT audit.prepare(:moment)")
_PURGE: Final = text("SELECT audit.purge(:through, :older_than, :moment, :mac, :kinds)")


@dataclass(frozen=True, kw_only=True)
class Purge:
    """What a purge has dropped."""

    records: int
    through: int


def record_batch(session: Session, envelopes: Iterable[Envelope], *, key: ChainKey, now: datetime) -> int:
    """Record the events that are not recorded yet, in their order; returns how many that were.

    Raises the database's time-out where another writer, or a purge, holds the head for more than three seconds.
    """
    by_id = {envelope.id: envelope for envelope in envelopes if is_recorded(type(envelope.event))}
    if not by_id:
        return 0
    row = session.execute(_TAKE_HEAD, {"ids": list(by_id)}).one()
    for event_id in row.held:
        del by_id[event_id]
    head = Head(sequence=row.sequence, recorded_at=row.recorded_at, mac=bytes(row.mac))
    links = list(key.extend(head, map(entry_of, by_id.values()), now))
    if links:
        session.execute(_APPEND, {"batch": json.dumps([_row(link) for link in links], ensure_ascii=False)})
    return len(links)


def lock_head(session: Session) -> Head:
    """The chain's last link, held until the end of the transaction: writers take turns here."""
    sequence, recorded_at, mac = session.execute(_LOCK_HEAD).one()
    return Head(sequence=sequence, recorded_at=recorded_at, mac=bytes(mac))


def prepare_partitions(session: Session, now: datetime) -> None:
    """Make this month's partition and the next one's ahead of need."""
    for moment in (now, now + PARTITIONS_AHEAD):
        session.execute(_PREPARE, {"moment": moment})


def forget_days(session: Session, now: datetime) -> None:
    """Drop the counts of days long past."""
    session.execute(delete(days).where(days.c.day < (now - DAYS_KEPT).date()))


def purge(
    session: Session,
    *,
    older_than: datetime,
    key: ChainKey,
    now: datetime,
    context: EventContext,
    kinds: Sequence[str] = (),
) -> Purge:
    """Drop the content of records from before a time; their links stay, an anchor and an event are left.

    `kinds`, as `create_artifact`, leaves the records of others; empty stands for all.

    Raises PurgeRefused where there is nothing so old, or the time is within the last hour.
    """
    if older_than > now - YOUNGEST_PURGED:
        raise PurgeRefused
    session.execute(text("SET LOCAL statement_timeout = 0"))
    lock_head(session)
    last = _last_before(session, older_than)
    before = session.scalar(select(func.max(anchors.c.sequence)).where(anchors.c.kinds == [])) or 0
    number = 0 if last is None or last.sequence <= before else _count(session, last.sequence, kinds)
    if last is None or last.sequence <= before or (kinds and not number):
        raise PurgeRefused(f"no record is from before {rfc3339(older_than)}")
    anchor = Anchor(
        sequence=last.sequence, purged_before=older_than, purged_at=now, records=number, kinds=tuple(kinds)
    )
    purged = session.scalar(
        _PURGE,
        {
            "through": last.sequence,
            "older_than": older_than,
            "moment": now,
            "mac": key.anchor(anchor, bytes(last.mac)),
            "kinds": list(kinds),
        },
    )
    if purged != number:
        raise ChainBroken("records were added out of the chain while it was purged")
    event = AuditPurged(
        older_than=rfc3339(older_than),
        records=number,
        through=last.sequence,
        anchor=bytes(last.mac).hex(),
        kinds=tuple(kinds),
    )
    emit(session, event, context=context, time=now)
    return Purge(records=number, through=last.sequence)


def count_older(session: Session, *, older_than: datetime, kinds: Sequence[str] = ()) -> int:
    """How many records a purge would drop."""
    last = _last_before(session, older_than)
    return 0 if last is None else _count(session, last.sequence, kinds)


def _last_before(session: Session, moment: datetime) -> Row[Any, Any] | None:
    """The last link from before a time."""
    return session.execute(
        select(chain.c.sequence, chain.c.mac)
        .where(chain.c.recorded_at < moment)
        .order_by(chain.c.recorded_at.desc(), chain.c.sequence.desc())
        .limit(1)
    ).one_or_none()


def _count(session: Session, through: int, kinds: Sequence[str]) -> int:
    held = select(func.count()).select_from(records).where(records.c.sequence <= through)
    if kinds:
        held = held.where((records.c.operation + "_" + records.c.resource_type).in_(kinds))
    return session.scalar(held) or 0


def _row(link: Link) -> dict[str, Any]:
    row = {name: _json_value(getattr(link.entry, name)) for name in ENTRY_FIELDS}
    return row | {
        "sequence": link.sequence,
        "recorded_at": link.recorded_at.isoformat(),
        "row_hash": link.row_hash.hex(),
        "mac": link.mac.hex(),
    }


def _json_value(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case _:
            return value
