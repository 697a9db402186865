"""Lines of all parts as records."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from compose.local.logs import moment
from compose.local.records import Level, brief, parse
from shared.errors import BadRequest

TAKEN = "2026-11-23T18:00:00.5+00:00"
LAST = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)

LINES = [
    ('{"event": "started", "level": "info"}', Level.INFO),
    ('{"event": "slow", "level": "warning"}', Level.WARNING),
    ('{"level":"fatal","msg":"configuration error"}', Level.ERROR),
    ('{"level":"notice","msg":"x"}', Level.INFO),
    ("2026-11-23 18:00:00.000 UTC [12] ERROR:  relation does not exist", Level.ERROR),
    ("2026-11-23 18:00:00.000 UTC [12] LOG:  checkpoint starting", Level.INFO),
    ("2026-11-23 18:00:00.000 UTC [12] FATAL:  the database system is starting up", Level.ERROR),
    ("2026/11/23 18:00:00 [warn] 12#12: an upstream response is buffered", Level.WARNING),
    ("2026/11/23 18:00:00 [emerg] 12#12: bind() failed", Level.ERROR),
    ("[2026-11-23 18:00:00 +0000] [12] [INFO] Booting worker", Level.INFO),
    ("[2026-11-23 18:00:00 +0000] [12] [ERROR] Exception in worker process", Level.ERROR),
    ("Traceback (most recent call last):", Level.INFO),
    ("{not json", Level.INFO),
]


@pytest.mark.parametrize(("said", "level"), LINES)
def test_level_is_found_however_a_part_tells_it(said: str, level: Level) -> None:
    record = parse(f"{TAKEN} {said}", part="core", last=LAST)
    assert (record.level, record.text) == (level, said)


def test_part_s_own_time_goes_before_the_time_of_taking_over() -> None:
    line = f'{TAKEN} {{"event": "x", "timestamp": "2026-11-23T17:59:00Z"}}'
    assert parse(line, part="core", last=LAST).time == NOW - timedelta(minutes=1)


def test_line_without_a_time_follows_the_one_before_it() -> None:
    record = parse("a rest of something", part="core", last=NOW)
    assert (record.time, record.text) == (NOW, "a rest of something")


def test_request_id_is_found_in_the_registry_s_lines() -> None:
    line = f'{TAKEN} {{"http.request.useragent": "docker/28 (linux) rid/build-1", "msg": "response completed"}}'
    assert parse(line, part="registry", last=LAST).request_id == "build-1"


def test_request_id_is_found_under_its_own_name() -> None:
    assert parse(f'{TAKEN} {{"event": "x", "request_id": "r1"}}', part="core", last=LAST).request_id == "r1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-23T17:00:00Z", NOW - timedelta(hours=1)),
    ],
)
def test_moment_is_read_as_people_write_it(text: str, expected: datetime) -> None:
    assert moment(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "soon", "10", "10x", "-5m", "2026-13-01", "99999999999d", "999999d"])
def test_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is no time"):
        moment(text, now=NOW)


TRACE = (
    'Traceback (most recent call last):\n  File "a.py", line 1, in work\n    connect()\n'
    "sqlalchemy.exc.OperationalError: (psycopg) connection is bad\n\tIs the server running?\n(Background on this: …)"
)


def test_line_is_put_in_one_short_one_with_what_was_raised_and_without_the_way_there() -> None:
    said = json.dumps({
        "event": "work_interrupted", "level": "warning", "timestamp": "2026-11-23T17:59:00.25Z", "part": "audit",
        "work": "purge", "retry_in": 1.5, "exception": TRACE * 9,
    })  # fmt: skip
    assert brief(said, part="audit") == (
        f"{(NOW - timedelta(minutes=1)).astimezone():%H:%M:%S} warning work_interrupted work=purge retry_in=1.5"
        " exception=sqlalchemy.exc.OperationalError: (psycopg) connection is bad"
    )


@pytest.mark.parametrize("said", ["2026/11/23 18:00:00 [emerg] 12#12: bind() failed", "Traceback (most recent call):"])
def test_line_that_is_no_json_is_left_as_it_is(said: str) -> None:
    assert brief(said, part="proxy") == said


def test_line_that_is_very_long_is_cut() -> None:
    assert brief("x" * 5000, part="proxy") == "x" * 300 + "…"
    assert len(brief(json.dumps({"event": "e" * 5000}), part="core")) == 301
