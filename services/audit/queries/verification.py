"""The proof that the record is whole: every link is computed anew while chain and records stream by."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import psycopg
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.audit.domain.chain import ENTRY_FIELDS, GENESIS, TIMES, Anchor, ChainKey, Head
from services.audit.tables import head as head_table

Progress = Callable[[int], None]

PROGRESS_STEP: Final = 5_000
HEAD_LOGGED: Final = "audit_head"
"""The log line that says where the chain ends."""


def _text_form(column: str, alias: str) -> str:
    value = f"{alias}.{column}"
    return f"(extract(epoch FROM {value}) * 1000000)::bigint" if column in TIMES else value


# Columns: the link's MAC, the link's own line (sequence, time, event id, row hash), the record's line.
_STREAM: Final = f"""
    COPY (
        SELECT encode(c.mac, 'hex'), c.sequence, {_text_form("recorded_at", "c")}, c.event_id,
               encode(c.row_hash, 'hex'), r.sequence,
               {", ".join(_text_form(name, "r") for name in ("recorded_at", *ENTRY_FIELDS))}
        FROM audit.chain c LEFT JOIN audit.records r ON r.sequence = c.sequence AND r.sequence > {{behind}}
        WHERE c.sequence > {{behind}}
        ORDER BY c.sequence
    ) TO STDOUT
"""  # noqa: S608 - the parts are this module's own field names
_ANCHORS: Final = """
    SELECT a.sequence, a.purged_before, a.purged_at, a.records, a.mac, a.kinds, c.mac
    FROM audit.anchors a LEFT JOIN audit.chain c USING (sequence) ORDER BY a.sequence, a.purged_at
"""
_STRAY: Final = """
    SELECT r.sequence FROM audit.records r LEFT JOIN audit.chain c ON c.sequence = r.sequence
    WHERE c.sequence IS NULL AND r.sequence > {behind} ORDER BY r.sequence LIMIT 1
"""
_SETTINGS: Final = """
    SET LOCAL statement_timeout = 0; SET LOCAL enable_hashjoin = off; SET LOCAL enable_sort = off;
    SET LOCAL client_encoding = 'UTF8'; SET LOCAL max_parallel_workers_per_gather = 0
"""
_NULL: Final = rb"\N"
# behind the record's sequence and time
_OPERATION: Final = 2 + ENTRY_FIELDS.index("operation")
_RESOURCE_TYPE: Final = 2 + ENTRY_FIELDS.index("resource_type")


@dataclass(frozen=True, kw_only=True)
class Break:
    """The first link that does not hold, and what is wrong with it."""

    sequence: int
    reason: str

    def __str__(self) -> str:
        return f"link {self.sequence}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What verification found."""

    links: int
    purged: int
    broken: Break | None
    first: int = 1
    """The first link that was checked."""

    @property
    def whole(self) -> bool:
        """Whether every link holds."""
        return self.broken is None


class _Broken(Exception):
    def __init__(self, sequence: int, reason: str) -> None:
        super().__init__(reason)
        self.found = Break(sequence=sequence, reason=reason)


def read_head(session: Session) -> Head:
    """Where the chain ends, by the head's own row."""
    row = session.execute(select(head_table.c.sequence, head_table.c.recorded_at, head_table.c.mac)).one()
    return Head(sequence=row.sequence, recorded_at=row.recorded_at, mac=bytes(row.mac))


def verify(
    connection: psycopg.Connection[Any],
    key: ChainKey,
    *,
    witnesses: Mapping[int, str] | None = None,
    progress: Progress = lambda _links: None,
    newest: int | None = None,
) -> Verdict:
    """Check every link, from the first to the head, in one snapshot; with `newest` only so many before the head.

    Of a part, the link before it is believed, and what purges say they dropped is not counted.

    `witnesses` are heads that were logged earlier (sequence to MAC, in hexadecimal): a tail that was cut together with
    the head's row shows by them alone. `progress` is told how many links are checked.
    """
    checked, behind = _Checked(), 0
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute(_SETTINGS)
        try:
            if newest is not None:
                behind = _begin_behind(connection, checked, newest)
            _read_anchors(connection, key, checked)
            checked.stray = _first_stray(connection, behind)
            _follow(connection, key, checked, dict(witnesses or {}), progress, behind)
            _refuse_stray(checked)
            if not behind:
                _count_purged(checked)
            _compare_head(connection, checked)
        except _Broken as broken:
            return _verdict(checked, behind, broken.found)
    return _verdict(checked, behind, None)


def _verdict(checked: "_Checked", behind: int, broken: Break | None) -> Verdict:
    return Verdict(links=checked.sequence - behind, purged=checked.purged, broken=broken, first=behind + 1)


def _begin_behind(connection: psycopg.Connection[Any], checked: "_Checked", newest: int) -> int:
    """Believe the link before the newest ones; its sequence, 0 where the chain is not longer than that."""
    row = connection.execute(
        "SELECT c.sequence, c.mac FROM audit.head h JOIN audit.chain c ON c.sequence = h.sequence - %s", (newest,)
    ).fetchone()
    if row is not None:
        checked.sequence, checked.mac = int(row[0]), bytes(row[1])
    return checked.sequence


def count_links(connection: psycopg.Connection[Any]) -> int:
    """How many links the head speaks of."""
    row = connection.execute("SELECT sequence FROM audit.head").fetchone()
    return int(row[0]) if row else 0


@dataclass(kw_only=True)
class _Checked:
    """How far verification has come."""

    sequence: int = 0
    mac: bytes = GENESIS
    purged: int = 0
    purged_through: int = 0
    """Up to here all content was purged."""
    kinds_through: dict[bytes, int] = field(default_factory=dict)
    """Up to where the content of a kind was purged, and that of others was not."""
    purged_last: int = 0
    """Beyond this nothing was purged."""
    purged_records: int = 0
    """How many records the purges have dropped, by their own word."""
    stray: int | None = None
    """The first record without a link."""


def _first_stray(connection: psycopg.Connection[Any], behind: int) -> int | None:
    row = connection.execute(_STRAY.format(behind=behind)).fetchone()
    return int(row[0]) if row else None


def _refuse_stray(checked: _Checked, *, at: int | None = None) -> None:
    if checked.stray is not None and (at is None or checked.stray == at):
        raise _Broken(checked.stray, "there is a record but no link: the record was inserted, or its link deleted")


def _read_anchors(connection: psycopg.Connection[Any], key: ChainKey, checked: _Checked) -> None:
    """What was purged by the key's holder: how much, of which kinds, up to which links."""
    for sequence, before, at, records, mac, kinds, chain_mac in connection.execute(_ANCHORS):
        anchor = Anchor(sequence=sequence, purged_before=before, purged_at=at, records=records, kinds=tuple(kinds))
        if chain_mac is None or key.anchor(anchor, chain_mac) != mac:
            raise _Broken(sequence, "its anchor was not made by a purge")
        checked.purged_last = sequence
        checked.purged_records += records
        if not kinds:
            checked.purged_through = sequence
        checked.kinds_through |= {kind.encode(): sequence for kind in kinds}


def _count_purged(checked: _Checked) -> None:
    """What is missing is what purges have dropped: one record more was deleted by somebody else."""
    if checked.purged != checked.purged_records:
        raise _Broken(
            checked.purged_last,
            f"up to here {checked.purged} records are missing, and purges have dropped {checked.purged_records}",
        )


def _follow(
    connection: psycopg.Connection[Any],
    key: ChainKey,
    checked: _Checked,
    witnesses: dict[int, str],
    progress: Progress,
    behind: int,
) -> None:
    with connection.cursor() as cursor, cursor.copy(_STREAM.format(behind=behind)) as stream:
        for data in stream:
            _check_link(bytes(data), key, checked)
            if witnesses and witnesses.pop(checked.sequence, None) not in {None, checked.mac.hex()}:
                raise _Broken(checked.sequence, "the log witnessed another link in this place")
            if checked.sequence % PROGRESS_STEP == 0:
                progress(checked.sequence)
    progress(checked.sequence)
    if witnesses:
        raise _Broken(checked.sequence + 1, f"the tail was cut off: the log witnessed link {max(witnesses)}")


def _check_link(data: bytes, key: ChainKey, checked: _Checked) -> None:
    mac, sequence, recorded_at, event_id, row_hash, record = data[:-1].split(b"\t", 5)
    expected = checked.sequence + 1
    if int(sequence) == checked.sequence:
        raise _Broken(checked.sequence, "there are two records of this sequence: one was inserted")
    if int(sequence) != expected:
        _refuse_stray(checked, at=expected)
        raise _Broken(expected, f"it is missing: link {checked.sequence} is followed by link {int(sequence)}")
    computed = key.link(checked.mac, b"\t".join((sequence, recorded_at, event_id, row_hash)))
    if computed.hex().encode() != mac:
        raise _Broken(expected, "it does not follow from the link before: a link was edited, moved or cut out")
    if record.startswith(_NULL):
        if expected > checked.purged_last:
            raise _Broken(expected, "its record was deleted")
        checked.purged += 1
    elif expected <= max(checked.purged_through, _purged_of_kind(record, checked)):
        raise _Broken(expected, "its record was purged and is there again")
    elif sha256(record).hexdigest().encode() != row_hash:
        raise _Broken(expected, "its record was edited")
    checked.sequence, checked.mac = expected, computed


def _purged_of_kind(record: bytes, checked: _Checked) -> int:
    """Up to which link records of the same kind as this one were purged."""
    if not checked.kinds_through:
        return 0
    values = record.split(b"\t")
    return checked.kinds_through.get(values[_OPERATION] + b"_" + values[_RESOURCE_TYPE], 0)


def _compare_head(connection: psycopg.Connection[Any], checked: _Checked) -> None:
    row = connection.execute("SELECT sequence, mac FROM audit.head").fetchone()
    sequence, mac = row or (0, GENESIS)
    if sequence > checked.sequence:
        raise _Broken(checked.sequence + 1, f"the tail was cut off: the head stands at link {sequence}")
    if sequence < checked.sequence or mac != checked.mac:
        raise _Broken(checked.sequence, "the head does not stand on the last link")


def heads_in_log(lines: Iterable[str]) -> dict[int, str]:
    """The heads that log lines bear witness of; of a link that was logged twice, the first line counts."""
    heads: dict[int, str] = {}
    for line in lines:
        if HEAD_LOGGED in line:
            try:
                said = json.loads(line[line.index("{") :])
                sequence, mac = int(said["sequence"]), str(said["mac"])
            except (ValueError, KeyError, TypeError):
                continue
            if said.get("event") == HEAD_LOGGED and sequence:
                heads.setdefault(sequence, mac)
    return heads
