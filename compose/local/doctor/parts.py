"""Faults of the parts as processes: one that does not run, does not answer, or ends again and again."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from compose.local import health
from compose.local.doctor import contained
from compose.local.doctor.finding import Finding, broken
from compose.local.doctor.patient import Check, Patient
from compose.local.records import brief
from compose.local.supervision import State
from compose.local.tail import last_lines

LOOKED_BACK: Final = timedelta(minutes=10)
MANY: Final = 3
"""So many ends within that time are a loop; a kill or two are not."""
_LINES: Final = 5
_TAIL: Final = 2_000
_EXIT: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ exited: (\w+) ")
_WAITED_FOR: Final = "look at what it waits for: it goes on by itself once that is back"
_LOOK: Final = "./breakwater logs --part {part} tells why; then ./breakwater up"


def stopped(patient: Patient) -> Iterator[Finding]:
    """Nothing runs at all."""
    if not patient.children:
        yield broken(f"the instance in {patient.layout.home} is stopped", "./breakwater up starts it")


def running(patient: Patient) -> Iterator[Finding]:
    """Parts that do not run or do not answer, with their last words."""
    if patient.site.contained:
        yield from contained.running(patient)
        return
    probes = health.probes(patient.site)
    for part in patient.site.parts if patient.children else ():
        child = patient.children.get(part)
        if child is None:
            yield broken(f"{part} is unknown to the supervisor", "./breakwater down, then ./breakwater up")
        elif child.state is not State.RUNNING:
            told = f" ({child.description})" if child.description else ""
            yield broken(
                f"{part} does not run: {child.state.lower()}{told}", _LOOK.format(part=part), lines=_last(patient, part)
            )
        elif probes[part](child.pid):
            continue
        elif waits_for := health.waits_for(patient.site, part, child.pid, ready=False):
            yield broken(f"{part} is alive and waits for {waits_for}", _WAITED_FOR)
        else:
            yield broken(f"{part} runs and does not answer", _LOOK.format(part=part), lines=_last(patient, part))


def looping(patient: Patient) -> Iterator[Finding]:
    """Parts that run at this moment, and end again and again."""
    lines = last_lines(patient.layout.log / "supervisord.log", _TAIL)
    counted = ends(lines, since=(patient.now - LOOKED_BACK).astimezone().replace(tzinfo=None))
    for part, number in counted.items():
        if number >= MANY and part in patient.children:
            yield broken(
                f"{part} restarts in a loop: it ended {number} times within {LOOKED_BACK.seconds // 60} minutes",
                _LOOK.format(part=part),
                lines=_last(patient, part),
            )


def ends(lines: Sequence[str], *, since: datetime) -> Counter[str]:
    """How often each part has ended, as supervisord's log tells in this machine's own time."""
    found: Counter[str] = Counter()
    for line in lines:
        match = _EXIT.match(line)
        if match and datetime.fromisoformat(match[1]) >= since:
            found[match[2]] += 1
    return found


def _last(patient: Patient, part: str) -> tuple[str, ...]:
    return tuple(brief(line, part=part) for line in last_lines(patient.layout.spool / f"{part}.log", _LINES))


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="stopped",
        looks_for="an instance that is stopped",
        remedy="`./breakwater up`",
        ask=stopped,
    ),
    Check(
        name="parts",
        looks_for="parts that do not run, do not answer, wait for their database or stand still, with their last lines",
        remedy="`./breakwater logs --part NAME` tells why; `./breakwater up` starts what does not run",
        ask=running,
    ),
    Check(
        name="loops",
        looks_for="parts that end again and again, though the supervisor starts them each time",
        remedy="`./breakwater logs --part NAME --since 10m` tells why",
        ask=looping,
    ),
)
