"""What a transfer knows and how fast it may go: no registry needed."""

import threading

import pytest

from services.replication.transfer.meter import Meter
from services.replication.transfer.shelf import KEPT_SECONDS, Shelf
from services.replication.transfer.throttle import Throttle
from shared.names import Digest

BLOB = Digest.of(b"blob")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_throttle_lets_bytes_through_at_its_rate() -> None:
    clock = Clock()
    throttle = Throttle(1_000, clock=clock, sleep=clock.sleep)
    for _ in range(40):
        throttle.take(250)
    assert 9.5 <= clock.now - 100 <= 10


def test_a_share_of_the_rate_is_all_that_a_process_takes() -> None:
    clock = Clock()
    throttle = Throttle(1_000, clock=clock, sleep=clock.sleep)
    throttle.share = 0.25
    for _ in range(10):
        throttle.take(250)
    assert 9.5 <= clock.now - 100 <= 10


def test_what_was_not_used_does_not_pile_up() -> None:
    clock = Clock()
    throttle = Throttle(1_000, clock=clock, sleep=clock.sleep)
    clock.now += 3_600
    for _ in range(8):
        throttle.take(250)
    assert clock.now - 3_700 >= 1.5


def test_a_blob_is_known_where_it_was_seen_and_nowhere_else() -> None:
    shelf = Shelf()
    shelf.add("there", "a/b", BLOB)
    assert shelf.holds("there", "a/b", BLOB)
    assert not shelf.holds("there", "a/c", BLOB)
    assert not shelf.holds("elsewhere", "a/b", BLOB)
    assert shelf.elsewhere("there", "a/c", BLOB) == "a/b"
    assert shelf.elsewhere("there", "a/b", BLOB) is None


def test_what_was_seen_long_ago_is_not_believed() -> None:
    clock = Clock()
    shelf = Shelf(clock=clock)
    shelf.add("there", "a/b", BLOB)
    clock.now += KEPT_SECONDS + 1
    assert not shelf.holds("there", "a/b", BLOB)
    assert shelf.elsewhere("there", "a/c", BLOB) is None


def test_a_repository_that_lacks_something_is_not_believed_in_anything() -> None:
    shelf = Shelf()
    shelf.add("there", "a/b", BLOB)
    shelf.add("there", "a/c", BLOB)
    shelf.forget("there", "a/b")
    assert not shelf.holds("there", "a/b", BLOB)
    assert shelf.holds("there", "a/c", BLOB)


def test_a_blob_is_brought_by_one_at_a_time() -> None:
    shelf, seen, most = Shelf(), [], []

    def bring() -> None:
        with shelf.alone("there", BLOB):
            seen.append(1)
            most.append(len(seen))
            seen.pop()

    threads = [threading.Thread(target=bring) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1] * 16


def test_whoever_fails_with_a_blob_lets_the_next_one_try() -> None:
    shelf = Shelf()
    with pytest.raises(ZeroDivisionError), shelf.alone("there", BLOB):
        _ = 1 / 0
    with shelf.alone("there", BLOB):
        pass


def test_a_meter_counts_and_asks_before_it_goes_on() -> None:
    taken: list[int] = []
    meter = Meter(take=taken.append)
    meter.plan(2, 30)
    meter.sent(10)
    meter.arrived(10)
    assert (meter.now.blobs_total, meter.now.bytes_total) == (2, 30)
    assert (meter.now.blobs_done, meter.now.bytes_done, meter.now.bytes_sent) == (1, 10, 10)
    assert taken == [10]
