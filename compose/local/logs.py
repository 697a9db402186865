"""Reads the log's one place: what was kept, in order of time, and then what comes."""

import heapq
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

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
    try:
        if match := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        time = datetime.fromisoformat(text)
        return time if time.tzinfo else time.astimezone()
    except (ValueError, OverflowError):
        # one that lies before the first year of all is none either
        raise BadRequest(f"{text[:40]!r} is no time: write 30s, 10m, 2h, 3d or 2026-01-31T12:00:00Z") from None


class Log:
    """The kept lines of some parts, and those that come after them: none twice, none left out."""

    def __init__(self, layout: Layout, wanted: Wanted) -> None:
        self._wanted = wanted
        self._files = [_PartFile(layout.log / f"{part}.log", part) for part in wanted.parts]

    def kept(self) -> Iterator[Record]:
        """What has been kept until now, in order of time. To be read before `coming`."""
        merged = heapq.merge(*(file.added() for file in self._files), key=lambda record: record.time)
        return filter(self._wanted.fits, merged)

    def coming(self) -> Iterator[Record]:
        """What is added from then on, for ever."""
        while True:
            fresh = [record for file in self._files for record in file.added()]
            yield from filter(self._wanted.fits, sorted(fresh, key=lambda record: record.time))
            time.sleep(_PAUSE)


class _PartFile:
    """A part's file and its older ones, which were that file until they were given another name."""

    def __init__(self, path: Path, part: str) -> None:
        self._names = (path, *(path.with_name(f"{path.name}.{number + 1}") for number in range(LOG_FILES_KEPT)))
        self._part = part
        self._last = _EPOCH
        self._inode = self._place = self._changed = 0
        """The file that was read last, up to where, and when it had been written to."""
        self._head = b""
        """How it begins: a new file may have the inode of one that is gone."""

    def added(self) -> Iterator[Record]:
        """The records since the last call, at first all; those too that have another file meanwhile."""
        with ExitStack() as opened:
            files = self._unread(opened)
            for number, file in enumerate(files, 1):
                yield from self._read(file, ended=number < len(files))

    def _unread(self, opened: ExitStack) -> list[IO[bytes]]:
        """The file that was read last and those that came after it, the oldest first.

        They are opened the newest first: who is given another name meanwhile is met twice, and nobody missed.
        """
        found: dict[int, IO[bytes]] = {}
        for path in self._names:
            try:
                file = opened.enter_context(path.open("rb"))
            except FileNotFoundError:
                continue
            found.setdefault(os.fstat(file.fileno()).st_ino, file)
            if self._is_known(file):
                return [*found.values()][::-1]
        # it is gone: those that nothing was written to since then were read before
        return [file for file in reversed(found.values()) if os.fstat(file.fileno()).st_mtime_ns >= self._changed]

    def _read(self, file: IO[bytes], *, ended: bool) -> Iterator[Record]:
        """Its records from where it was read to last; one that was emptied meanwhile begins anew."""
        status = os.fstat(file.fileno())
        if not self._is_known(file):
            self._inode, self._place, self._head = status.st_ino, 0, b""
        # of what is written from here on it says less than there is: no harm
        self._changed = status.st_mtime_ns
        file.seek(self._place)
        for line in file:
            if not (ended or line.endswith(b"\n")):
                return
            self._place += len(line)
            self._head = self._head or line
            yield self._record(line)

    def _is_known(self, file: IO[bytes]) -> bool:
        """Whether it is the one that was read last, and was not emptied since."""
        status = os.fstat(file.fileno())
        if status.st_ino != self._inode or status.st_size < self._place:
            return False
        file.seek(0)
        return file.read(len(self._head)) == self._head

    def _record(self, line: bytes) -> Record:
        record = parse(line.decode("utf-8", errors="replace").rstrip("\n"), part=self._part, last=self._last)
        self._last = record.time
        return record
