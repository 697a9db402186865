"""Counting the lines that nginx writes: each once, by whoever has the lock, whatever was left behind."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from gateway.core import transfers
from gateway.core.transfers import Transfers
from shared.metrics.tally import Tally


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "SETTLE_SECONDS", 0)


def told(tally: Tally) -> dict[tuple[str, ...], float]:
    return {(each.name, *each.labels): each.value for each in tally.take()}


def test_each_line_is_counted_once(tmp_path: Path) -> None:
    written, tally = tmp_path / "transfers", Tally()
    written.write_text(
        "blob GET 200 0.300 500 1000700\nblob GET 200 0.004 500 700\nupload PATCH 202 2.000 2000000 300\n"
        "blob GET 404 0.001 400 300\nmanifest BREW 405 0.000 1 1\n"
    )
    counting = Transfers(written, tally)
    counting.count()
    assert told(tally) == {
        ("transfers", "blob", "GET", "200"): 2,
        ("transfers", "blob", "GET", "404"): 1,
        ("transfers", "upload", "PATCH", "202"): 1,
        ("transfers", "manifest", "other", "405"): 1,
        ("transfer_seconds", "blob", "GET", "1.0"): 1,
        ("transfer_seconds", "blob", "GET", "0.01"): 1,
        ("transfer_seconds", "blob", "GET", "sum"): pytest.approx(0.304),
        ("transfer_seconds", "upload", "PATCH", "5.0"): 1,
        ("transfer_seconds", "upload", "PATCH", "sum"): 2,
        ("transferred_bytes", "received"): 2_001_401,
        ("transferred_bytes", "sent"): 1_002_001,
    }
    counting.count()
    assert told(tally) == {}
    written.write_text("blob HEAD 200 0.001 1 1\n")
    counting.count()
    assert told(tally)["transfers", "blob", "HEAD", "200"] == 1


def test_what_a_killed_process_has_taken_is_counted_before_what_came_since(tmp_path: Path) -> None:
    written, tally = tmp_path / "transfers", Tally()
    written.with_name("transfers.taken").write_text("blob GET 200 0.1 1 1\n")
    written.write_text("blob HEAD 200 0.1 1 1\n")
    counting = Transfers(written, tally)
    counting.count()
    assert told(tally)["transfers", "blob", "GET", "200"] == 1
    counting.count()
    found = told(tally)
    assert found["transfers", "blob", "HEAD", "200"] == 1
    assert ("transfers", "blob", "GET", "200") not in found


def test_while_another_process_counts_nothing_is_touched(tmp_path: Path) -> None:
    written, tally = tmp_path / "transfers", Tally()
    written.write_text("blob GET 200 0.1 1 1\n")
    with tmp_path.joinpath("transfers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        Transfers(written, tally).count()
        assert told(tally) == {}
    Transfers(written, tally).count()
    assert told(tally)["transfers", "blob", "GET", "200"] == 1


@pytest.mark.parametrize(
    "broken", ["blob GET 200 0.0", "blob GET 200 0.1 1 1 blob", "blob GET 200 fast 1 1", "\xff", ""]
)
def test_a_line_in_pieces_costs_no_other(tmp_path: Path, broken: str) -> None:
    written, tally = tmp_path / "transfers", Tally()
    written.write_text(f"blob GET 200 0.1 1 1\n{broken}\nblob GET 200 0.1 1 1\n", encoding="latin-1")
    Transfers(written, tally).count()
    assert told(tally)["transfers", "blob", "GET", "200"] == 2


def test_a_folder_that_is_not_there_ends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counting = Transfers(tmp_path / "no" / "transfers", Tally())
    counting.count()
    counting.count()
    assert capsys.readouterr().out.count("transfers.not_counted") == 1
