"""Reading the log's one place from files."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from compose.local.layout import Layout
from compose.local.logs import Log, Wanted
from compose.local.records import Level

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("core", "token")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "log").mkdir()
    return Layout(tmp_path)


def write(layout: Layout, name: str, *entries: tuple[int, str], level: str = "info", mode: str = "a") -> None:
    with (layout.log / name).open(mode) as file:
        for second, event in entries:
            stamp = f"2026-11-23T18:00:{second:02}+00:00"
            file.write(f'{stamp} {{"event": "{event}", "level": "{level}", "request_id": "r{second}"}}\n')


def events(log: Log) -> list[str]:
    return [record.fields["event"] for record in log.kept()]


def test_lines_of_several_parts_come_in_order_of_time(layout: Layout) -> None:
    write(layout, "core.log", (1, "a"), (4, "d"))
    write(layout, "token.log", (2, "b"), (3, "c"))
    assert events(Log(layout, Wanted(parts=PARTS))) == ["a", "b", "c", "d"]


def test_older_files_come_first(layout: Layout) -> None:
    write(layout, "core.log.2", (1, "a"))
    write(layout, "core.log.1", (2, "b"))
    write(layout, "core.log", (3, "c"))
    assert events(Log(layout, Wanted(parts=PARTS))) == ["a", "b", "c"]


def test_level_and_request_id_narrow_the_lines(layout: Layout) -> None:
    write(layout, "core.log", (1, "a"), (2, "b"))
    write(layout, "core.log", (3, "c"), level="error")
    assert events(Log(layout, Wanted(parts=PARTS, level=Level.WARNING))) == ["c"]
    assert events(Log(layout, Wanted(parts=PARTS, request_id="r2"))) == ["b"]


def test_what_comes_is_given_once_and_a_replaced_file_is_followed(layout: Layout) -> None:
    write(layout, "core.log", (1, "a"))
    log = Log(layout, Wanted(parts=PARTS))
    assert events(log) == ["a"]
    write(layout, "core.log", (2, "b"))
    coming = log.coming()
    assert next(coming).fields["event"] == "b"
    (layout.log / "core.log").rename(layout.log / "core.log.1")
    write(layout, "core.log", (3, "c"), (4, "d"))
    assert [record.fields["event"] for record in islice(coming, 2)] == ["c", "d"]


def rename(layout: Layout) -> None:
    """As rsyslogd does with a file that is full."""
    for number in (3, 2, 1):
        if (older := layout.log / f"core.log.{number}").exists():
            older.rename(layout.log / f"core.log.{number + 1}")
    (layout.log / "core.log").rename(layout.log / "core.log.1")


def test_what_was_written_before_a_file_was_put_aside_comes_too(layout: Layout) -> None:
    write(layout, "core.log", (1, "a"))
    log = Log(layout, Wanted(parts=PARTS))
    assert events(log) == ["a"]
    coming = log.coming()
    for second in (2, 4, 6):
        write(layout, "core.log", (second, f"written {second}"), (second + 1, f"written {second + 1}"))
        rename(layout)
    write(layout, "core.log", (8, "written 8"))
    for second in range(2, 9):
        assert next(coming).fields["event"] == f"written {second}"
    # it has no new name yet, and nothing more is written to it
    write(layout, "core.log", (9, "last words"))
    rename(layout)
    assert next(coming).fields["event"] == "last words"


def test_more_files_than_are_kept_leave_what_is_there(layout: Layout) -> None:
    write(layout, "core.log", (1, "a"))
    log = Log(layout, Wanted(parts=PARTS))
    assert events(log) == ["a"]
    for second in range(2, 9):
        rename(layout)
        write(layout, "core.log", (second, f"written {second}"))
    coming = log.coming()
    assert [record.fields["event"] for record in islice(coming, 5)] == [f"written {second}" for second in range(4, 9)]


def test_file_that_was_removed_gives_nothing_twice(layout: Layout) -> None:
    write(layout, "core.log.1", (1, "a"))
    os.utime(layout.log / "core.log.1", (1, 1))
    write(layout, "core.log", (2, "b"))
    log = Log(layout, Wanted(parts=PARTS))
    assert events(log) == ["a", "b"]
    write(layout, "core.log.new", (3, "c"))
    (layout.log / "core.log.new").replace(layout.log / "core.log")
    assert next(log.coming()).fields["event"] == "c"


def test_half_a_line_waits_for_its_other_half(layout: Layout) -> None:
    with (layout.log / "core.log").open("w") as file:
        file.write('2026-11-23T18:00:01+00:00 {"event": "wh')
    log = Log(layout, Wanted(parts=PARTS))
    assert events(log) == []
    with (layout.log / "core.log").open("a") as file:
        file.write('ole"}\n')
    assert next(log.coming()).fields["event"] == "whole"
