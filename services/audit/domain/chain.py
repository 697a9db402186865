"""The chain over the records: each link's MAC covers the one before it, so no link can be changed, moved or cut out.

What is hashed is a line in PostgreSQL's COPY text format, byte for byte what COPY gives back: verification hashes the
rows as they stream by. Order of the fields and their text forms are therefore fixed for good.
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from services.audit.domain.record import Entry
from shared.secrets import Secret

GENESIS: Final = b""
"""What stands before the first link."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ESCAPES: Final = str.maketrans(
    {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
)

ENTRY_FIELDS: Final = tuple(field.name for field in fields(Entry))
TIMES: Final = frozenset({"recorded_at", "occurred_at", "purged_before", "purged_at"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The last link: its sequence, its time and its MAC."""

    sequence: int
    recorded_at: datetime
    mac: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """An entry with its place in the chain."""

    sequence: int
    recorded_at: datetime
    entry: Entry
    row_hash: bytes
    mac: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """What a purge leaves: up to which link the content is gone, since when, how much it was, and of which kinds."""

    sequence: int
    purged_before: datetime
    purged_at: datetime
    records: int
    kinds: tuple[str, ...] = ()
    """Empty where all of it went."""


class ChainKey:
    """The key of the chain, parted for links and anchors so that one can never pass for the other."""

    __slots__ = ("_anchors", "_links")

    def __init__(self, key: Secret) -> None:
        root = key.reveal().encode()
        self._links = hmac.digest(root, b"links", "sha256")
        self._anchors = hmac.digest(root, b"anchors", "sha256")

    def link(self, before: bytes, line: bytes) -> bytes:
        """The MAC of a link whose own line (sequence, time, event id, row hash) follows the MAC before it."""
        return hmac.digest(self._links, before + line, "sha256")

    def anchor(self, anchor: Anchor, chain_mac: bytes) -> bytes:
        """The MAC of an anchor and of the link that it stands on."""
        some = (",".join(anchor.kinds),) if anchor.kinds else ()
        line = copy_line(anchor.sequence, anchor.purged_before, anchor.purged_at, anchor.records, *some)
        return hmac.digest(self._anchors, chain_mac + line, "sha256")

    def extend(self, head: Head, entries: Iterable[Entry], now: datetime) -> Iterator[Link]:
        """Links for the entries, behind the head. Time never runs backwards along the chain."""
        recorded_at = max(now, head.recorded_at)
        sequence, mac = head.sequence, head.mac
        for entry in entries:
            sequence += 1
            row_hash = sha256(record_line(sequence, recorded_at, entry)).digest()
            mac = self.link(mac, copy_line(sequence, recorded_at, entry.event_id, row_hash.hex()))
            yield Link(sequence=sequence, recorded_at=recorded_at, entry=entry, row_hash=row_hash, mac=mac)


def record_line(sequence: int, recorded_at: datetime, entry: Entry) -> bytes:
    """A record as COPY prints it."""
    return copy_line(sequence, recorded_at, *(getattr(entry, name) for name in ENTRY_FIELDS))


def copy_line(*values: object) -> bytes:
    """Values as a line of COPY's text format; a time as microseconds since 1970."""
    return "\t".join(map(_copy_text, values)).encode()


def _copy_text(value: object) -> str:
    match value:
        case None:
            return r"\N"
        case bool():
            return "t" if value else "f"
        case datetime():
            return str((value - _EPOCH) // _MICROSECOND)
        case int() | UUID():
            return str(value)
        case str():
            return value.translate(_ESCAPES)
        case _:
            raise TypeError(f"{type(value).__name__} has no place in a record")
