"""Asks every check, groups beside each other, and waits for none longer than it may take."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from compose.local.doctor import (
    broker,
    certificates,
    collectors,
    contained,
    database,
    flow,
    front,
    home,
    inner,
    modes,
    parts,
    storage,
)
from compose.local.doctor.finding import Finding, Severity, broken, warning
from compose.local.doctor.patient import Check, Group, Patient
from compose.local.site import Site
from compose.local.supervision import Supervisor, SupervisorSilent
from shared.errors import BreakwaterError

SECONDS: Final = 20.0
"""How long it all may take; what has not answered by then is told so."""
GROUPS: Final = (
    Group(needs=None, checks=(*home.CHECKS, *certificates.CHECKS)),
    Group(needs=None, checks=tuple(storage.CHECKS)),
    Group(needs=None, checks=tuple(collectors.CHECKS)),
    Group(needs=None, checks=tuple(parts.CHECKS)),
    Group(needs="postgres", checks=(*database.CHECKS, storage.IMAGES, *flow.CHECKS, *modes.CHECKS)),
    Group(needs="rabbitmq", checks=tuple(broker.CHECKS)),
    Group(needs="proxy", checks=tuple(front.CHECKS)),
    Group(needs="token", checks=(inner.CREDENTIALS,)),
    Group(needs="intake", checks=(inner.INTAKE,)),
)
CHECKS: Final = tuple(check for group in GROUPS for check in group.checks)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found, by the check that found it, in the order in which they are asked."""

    findings: Sequence[tuple[Check, Finding]]
    asked: int = 0
    """How many checks could be asked: of parts that do not run there is nothing to ask."""
    seconds: float = 0.0

    @property
    def well(self) -> bool:
        """Whether nothing is broken."""
        return all(finding.severity is Severity.WARNING for _check, finding in self.findings)


@dataclass(kw_only=True)
class _Round:
    """One group's answers as they come."""

    group: Group
    answers: SimpleQueue[tuple[Check, list[Finding]] | None] = field(default_factory=SimpleQueue)


def patient_of(site: Site, now: datetime) -> Patient:
    """The instance at this moment."""
    supervisor = Supervisor(site.layout)
    if site.contained:
        return Patient(site=site, now=now)
    try:
        children = supervisor.children() if supervisor.is_running() else {}
    except SupervisorSilent:
        children = {}
    return Patient(site=site, now=now, children=children)


def examine(patient: Patient, groups: Sequence[Group] = GROUPS, *, seconds: float = SECONDS) -> Report:
    """Ask everything that can be asked of it."""
    begun = time.monotonic()
    if patient.site.contained:
        groups = contained.checked_there(groups)
    rounds = [_Round(group=group) for group in groups if group.needs is None or patient.runs(group.needs)]
    for each in rounds:
        # a thread of its own that nobody waits for: what it asks may never answer
        Thread(target=_make, args=(each, patient), daemon=True).start()
    answered = [answer for each in rounds for answer in _collect(each, begun + seconds)]
    return Report(
        findings=[(check, finding) for check, found in answered for finding in found],
        asked=len(answered),
        seconds=time.monotonic() - begun,
    )


def _make(round_: _Round, patient: Patient) -> None:
    first, *others = round_.group.checks
    found = _ask(first, patient)
    round_.answers.put((first, found))
    reachable = round_.group.needs is None or all(each.severity is Severity.WARNING for each in found)
    for check in others if reachable else ():
        round_.answers.put((check, _ask(check, patient)))
    round_.answers.put(None)


def _ask(check: Check, patient: Patient) -> list[Finding]:
    """What it found, or that it could not look. A stranger's error is not quoted: it may hold anything."""
    try:
        return list(check.ask(patient))
    except BreakwaterError as error:
        return [broken(f"{check.name} cannot be looked at: {error.sentence}", "./breakwater doctor again in a moment")]
    except Exception as error:  # noqa: BLE001 - one check that fails keeps no other from being asked
        return [warning(f"{check.name} cannot be looked at: {type(error).__name__}", "./breakwater status")]


def _collect(round_: _Round, deadline: float) -> Iterator[tuple[Check, list[Finding]]]:
    waiting = list(round_.group.checks)
    while True:
        try:
            answer = round_.answers.get(timeout=max(deadline - time.monotonic(), 0.01))
        except Empty:
            yield waiting[0], [broken(f"{waiting[0].name} gives no answer in time", "./breakwater logs; then again")]
            return
        if answer is None:
            return
        waiting.remove(answer[0])
        yield answer
