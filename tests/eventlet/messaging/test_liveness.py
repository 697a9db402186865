"""A service that stands still ends itself and says where; one that goes on, or was stopped as a whole, does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from compose.local.options import CHECKOUT
from shared.messaging.liveness import EXIT_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE: Final = """
import sys
from pathlib import Path
from shared.messaging.runner import patch
patch()
import eventlet
from shared.messaging.liveness import Liveness
from shared.messaging.note import Note

def works_for_ever():
    while True:
        pass

note = Path(sys.argv[1])
note.touch()
Liveness("audit", Note(note), every=0.05, patience=0.5).keep()
print("begun", flush=True)
while note.exists():
    eventlet.sleep(0.02)
eventlet.spawn(works_for_ever)
eventlet.sleep(60)
"""
PATIENCE: Final = 0.5


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "audit.ready"


@pytest.fixture
def service(note: Path) -> Iterator[subprocess.Popen[str]]:
    """Goes on until its note is gone; then it stands still."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVICE, note], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def beaten(note: Path) -> float:
    return note.stat().st_mtime


def test_a_service_that_waits_goes_on(service: subprocess.Popen[str], note: Path) -> None:
    before = beaten(note)
    time.sleep(3 * PATIENCE)
    assert service.poll() is None
    assert beaten(note) - before > PATIENCE


def test_a_service_that_stands_still_ends_and_says_where(service: subprocess.Popen[str], note: Path) -> None:
    note.unlink()
    said, _ = service.communicate(timeout=30)
    assert service.returncode == EXIT_CODE
    line = json.loads(said)
    assert (line["level"], line["event"], line["part"]) == ("error", "stood_still", "audit")
    assert "works_for_ever" in line["where"]


def test_a_service_that_was_stopped_as_a_whole_has_not_stood_still(
    service: subprocess.Popen[str], note: Path
) -> None:
    os.kill(service.pid, signal.SIGSTOP)
    time.sleep(2 * PATIENCE)
    stopped = beaten(note)
    os.kill(service.pid, signal.SIGCONT)
    time.sleep(PATIENCE)
    assert service.poll() is None
    assert beaten(note) > stopped
