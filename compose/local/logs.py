"""Reads the log's one place: what was kept, in order of time, and then what comes."""

import heapq
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from compose.conf.views import LOG_FILES_KEPT
from compose.local.layout import Layout
from compose.local.parts import PARTS
from compose.local.records import Level, Record, parse
from shared.errors import BadRequest

_PAUSE = 0.2
_EPOCH = datetime.fromtimestamp(0, UTC)
_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which lines are asked for."""

    parts: Sequence[str] = PARTS
    level: Level = Level.DEBUG
    request_id: str | None = None
    since: datetime = _EPOCH

    def fits(self, record: Record) -> bool:
        """Whether a line is one of them."""
        return (
            record.level >= self.level
            and record.time >= self.since
            and (self.request_id is None or record.request_id == self.request_id or self.request_id in record.text)
        )


def moment(text: str, *, now: datetime) -> datetime:
    """A time as people write it: `10m`, `2h`, `2026-11-23T18:00:00Z`. Raises BadRequest."""
    if match := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(f"{text!r} is no time: write 30s, 10m, 2h, 3d or 2026-01-31T12:00:00Z") from None
    return time if time.tzinfo else time.astimezone()


class Log:
    """The kept lines of some parts, and those that come after them: none twice, none left out."""

    def __init__(self, layout: Layout, wanted: Wanted) -> None:
        self._wanted = wanted
        self._files = [_PartFile(layout.log / f"{part}.log", part) for part in wanted.parts]

    def kept(self) -> Iterator[Record]:
        """What has been kept until now, in order of time. To be read before `coming`."""
        merged = heapq.merge(*(file.kept() for file in self._files), key=lambda record: record.time)
        return filter(self._wanted.fits, merged)

    def coming(self) -> Iterator[Record]:
        """What is added from then on, for ever."""
        while True:
            fresh = [record for file in self._files for record in file.added()]
            yield from filter(self._wanted.fits, sorted(fresh, key=lambda record: record.time))
            time.sleep(_PAUSE)


class _PartFile:
    """A part's file and its older ones."""

    def __init__(self, path: Path, part: str) -> None:
        self._path = path
        self._part = part
        self._last = _EPOCH
        self._inode = self._place = 0
        self._rest = b""

    def kept(self) -> Iterator[Record]:
        """The records of the older files, then those of this one."""
        for number in range(LOG_FILES_KEPT, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if older.exists():
                with older.open("rb") as lines:
                    yield from map(self._record, lines)
        yield from self.added()

    def added(self) -> Iterator[Record]:
        """The records added since the last call; a file that was replaced is read from its start."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            status = os.fstat(file.fileno())
            if status.st_ino != self._inode or status.st_size < self._place:
                self._inode, self._place, self._rest = status.st_ino, 0, b""
            file.seek(self._place)
            content = file.read()
        self._place += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        yield from map(self._record, whole)

    def _record(self, line: bytes) -> Record:
        record = parse(line.decode("utf-8", errors="replace").rstrip("\n"), part=self._part, last=self._last)
        self._last = record.time
        return record
