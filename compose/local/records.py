"""The kept log lines as records: when, which part, how bad, which request, and the line as it was said."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any


class Level(IntEnum):
    """How bad a line is."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


_WORDS = {
    "debug": Level.DEBUG,
    "notice": Level.INFO,
    "info": Level.INFO,
    "log": Level.INFO,
    "warn": Level.WARNING,
    "warning": Level.WARNING,
    "error": Level.ERROR,
    "fatal": Level.ERROR,
    "panic": Level.ERROR,
    "critical": Level.ERROR,
    "crit": Level.ERROR,
    "alert": Level.ERROR,
    "emerg": Level.ERROR,
    "exception": Level.ERROR,
}
_LEVEL_IN_TEXT = re.compile(r"\[([A-Za-z]+)\]|\b(LOG|WARNING|ERROR|FATAL|PANIC|NOTICE):")
_REQUEST_IN_AGENT = re.compile(r" rid/([A-Za-z0-9._-]{1,64})")
_OWN_TIMES = ("timestamp", "time")
_TOLD_ANYHOW = frozenset({*_OWN_TIMES, "level", "part", "event", "msg"})
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(?::.*)?$", re.MULTILINE)
"""In a traceback: an exception by its name, with what it says."""
_LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class Record:
    """One line of a part."""

    time: datetime
    part: str
    level: Level
    request_id: str | None
    text: str
    fields: Mapping[str, Any]
    """What a line in JSON says; empty for other lines."""


def parse(line: str, *, part: str, last: datetime) -> Record:
    """A line of a kept file: the time it was taken over, and what the part said.

    A line that does not begin with a time (a part of something longer) gets the last one's.
    """
    stamp, _, said = line.partition(" ")
    time = _time(stamp)
    if time is None:
        time, said = last, line
    fields = _fields(said)
    own = next((found for name in _OWN_TIMES if (found := _time(str(fields.get(name, "")))) is not None), None)
    return Record(
        time=own or time,
        part=part,
        level=_level(said, fields),
        request_id=_request_id(fields),
        text=said.strip(),
        fields=fields,
    )


def brief(line: str, *, part: str) -> str:
    """A line of a part for whoever looks for a fault: short, with what was raised and without the way there."""
    record = parse(line, part=part, last=datetime.fromtimestamp(0, UTC))
    fields = record.fields
    text = record.text
    if fields:
        raised = _RAISED.findall(str(fields.get("exception", "")))
        told = {name: value for name, value in fields.items() if name not in _TOLD_ANYHOW}
        told |= {"exception": raised[-1]} if raised else {}
        event = fields.get("event") or fields.get("msg") or ""
        words = (f"{record.time.astimezone():%H:%M:%S}", record.level.name.lower(), event)
        text = " ".join([*map(str, words), *(f"{name}={value}" for name, value in told.items())])
    return f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text


def _fields(said: str) -> dict[str, Any]:
    text = said.strip()
    if not text.startswith("{"):
        return {}
    try:
        values: dict[str, Any] = json.loads(text)
    except ValueError:
        return {}
    return values


def _level(said: str, fields: Mapping[str, Any]) -> Level:
    if word := fields.get("level"):
        return _WORDS.get(str(word).lower(), Level.INFO)
    match = _LEVEL_IN_TEXT.search(said[:200])
    return _WORDS.get((match[1] or match[2]).lower(), Level.INFO) if match else Level.INFO


def _request_id(fields: Mapping[str, Any]) -> str | None:
    """Under its own name, or where the proxy put it for the registry: at the end of the client's name."""
    if found := fields.get("request_id"):
        return str(found)
    match = _REQUEST_IN_AGENT.search(str(fields.get("http.request.useragent", "")))
    return match[1] if match else None


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
