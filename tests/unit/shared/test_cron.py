"""When a cron expression of six fields is due."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.cron import Cron
from shared.errors import BadRequest


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 0 0 * * *", "2026-02-28 23:59:59", "2026-03-01 00:00:00"),
        ("0 0 0 * * *", "2026-03-01 00:00:00", "2026-03-02 00:00:00"),
        ("* * * * * *", "2026-03-01 00:00:00", "2026-03-01 00:00:01"),
        ("0 */15 * * * *", "2026-03-01 00:15:00", "2026-03-01 00:30:00"),
        ("0 5/20 * * * *", "2026-03-01 00:26:00", "2026-03-01 00:45:00"),
        ("30 0 8-10 * * ?", "2026-03-01 10:00:30", "2026-03-02 08:00:30"),
        ("0 0 0 ? * MON,wed", "2026-03-02 00:00:00", "2026-03-04 00:00:00"),
        ("0 0 0 * * 0", "2026-03-02 00:00:00", "2026-03-08 00:00:00"),
        ("0 0 0 31 * *", "2026-03-31 00:00:00", "2026-05-31 00:00:00"),
        ("0 0 0 1 jan *", "2026-01-01 00:00:00", "2027-01-01 00:00:00"),
        ("0 0 0 29 2 *", "2096-02-29 00:00:00", "2104-02-29 00:00:00"),
        ("0 0 0 13 * FRI", "2026-02-28 00:00:00", "2026-03-06 00:00:00"),
        ("0 0 0 13 * FRI", "2026-03-06 00:00:00", "2026-03-13 00:00:00"),
        ("0 0 0 */10 * FRI", "2026-03-06 00:00:00", "2026-03-11 00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31 23:59:59", "2027-12-31 23:59:59"),
    ],
)
def test_it_is_due_next(cron: str, after: str, due: str) -> None:
    assert Cron.parse(cron).next_after(at(after)) == at(due)


def test_a_part_of_a_second_is_past() -> None:
    moment = at("2026-03-01 00:00:00") + timedelta(milliseconds=1)
    assert Cron.parse("* * * * * *").next_after(moment) == at("2026-03-01 00:00:01")


def test_hours_are_those_of_utc() -> None:
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert Cron.parse("0 0 0 * * *").next_after(moment) == at("2026-03-01 00:00:00")


def test_spaces_do_not_matter() -> None:
    assert Cron.parse("  0 0\t0  * * * ").text == "0 0 0 * * *"


@pytest.mark.parametrize("text", ["* * * * * *", "0,30 * * * * *", "*/59 0 0 * * *"])
def test_a_schedule_comes_once_a_minute_at_most(text: str) -> None:
    with pytest.raises(BadRequest, match="once a minute at most"):
        Cron.parse_schedule(text)
    assert Cron.parse_schedule("7 * * * * *").text == "7 * * * * *"


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "* * * * *", "* * * * * * *", "@daily", "60 * * * * *", "* 60 * * * *", "* * 24 * * *",
        "* * * 0 * *", "* * * 32 * *", "* * * * 0 *", "* * * * 13 *", "* * * * * 7", "* * * * * funday",
        "*/0 * * * * *", "5-3 * * * * *", "1, * * * * *", "-1 * * * * *", "1- * * * * *", "a * * * * *",
        "٣ * * * * *", "*/x * * * * *", "0 0 0 L * *", "0 0 0 * * 5#2", "0 0 0 30 2 *", "0 0 0 31 feb,apr *",
        "0 0 0 " + "1," * 200 + "1 * *",
    ],
)  # fmt: skip
def test_what_names_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        Cron.parse(text)
