"""Two questions to a part that leaves notes: whether it goes on, and whether it lacks anything."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from compose.cli.table import status_table
from compose.docker import health as in_a_container
from compose.local import asking, health
from compose.local.processes import Memory
from compose.local.status import PartStatus, Status
from shared.messaging.note import Need, Note

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from compose.local.site import Site


@pytest.mark.parametrize(
    ("words", "age", "ready", "alive"),
    [
        ("1", 0, True, True),
        ("1 database", 0, False, True),
        ("1 broker database", 0, False, True),
        ("1 database", asking.SILENT_SECONDS + 1, False, False),
        ("2", 0, False, False),
        ("", 0, False, False),
    ],
)
def test_a_part_that_lacks_something_is_alive_without_being_ready(
    tmp_path: Path, words: str, age: float, *, ready: bool, alive: bool
) -> None:
    note = tmp_path / "relay.ready"
    note.write_text(words)
    os.utime(note, (time.time() - age,) * 2)
    assert in_a_container.is_well("relay", run=tmp_path, work=tmp_path) is ready
    assert in_a_container.is_well("relay", alive=True, run=tmp_path, work=tmp_path) is alive


def test_note_says_what_is_lacking_once_the_service_has_begun(tmp_path: Path) -> None:
    note, file = Note(tmp_path / "relay.ready"), tmp_path / "relay.ready"
    note.tell(Need.BROKER, found=False)
    note.go_on()
    assert not file.exists()
    note.begin()
    found = []
    for need, is_found in ((Need.DATABASE, False), (Need.BROKER, True), (Need.BROKER, True), (Need.DATABASE, True)):
        found.append(asking.lacks(tmp_path, "relay", os.getpid()))
        note.tell(need, found=is_found)
    found.append(asking.lacks(tmp_path, "relay", os.getpid()))
    assert found == [["broker"], ["broker", "database"], ["database"], ["database"], []]
    assert [file.name for file in tmp_path.iterdir()] == ["relay.ready"]


@pytest.mark.parametrize(
    ("words", "waits_for"),
    [("7", ""), ("7 broker", "the broker"), ("7 broker database", "the broker and the database"), ("8 broker", "")],
)
def test_what_a_part_on_this_machine_waits_for_is_told_in_words(
    make_site: Callable[..., Site], words: str, waits_for: str
) -> None:
    site = make_site()
    site.layout.run.mkdir(parents=True)
    (site.layout.run / "audit.ready").write_text(words)
    assert health.waits_for(site, "audit", 7, ready=True) == waits_for
    # it has begun, and nothing that is started waits for what it waits for
    assert health.probes(site)["audit"](7) is words.startswith("7")


def test_part_that_waits_for_something_is_shown_so() -> None:
    (column,) = [
        column for column in status_table(Status(parts=(part(waits_for="the broker"), part()))).columns
        if column.header == "state"
    ]  # fmt: skip
    assert [*column.cells] == ["[yellow]alive, waits for the broker[/yellow]", "[green]healthy[/green]"]


def part(*, waits_for: str = "") -> PartStatus:
    return PartStatus(
        part="audit", state="RUNNING", healthy=True, pid=7, seconds=5.0, memory=Memory(bytes=1, complete=True),
        waits_for=waits_for,
    )  # fmt: skip
