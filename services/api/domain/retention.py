"""Retention: rules of a project that say which artifacts stay; what no rule keeps, goes.

The unit is the artifact, as in Harbor: one that is kept by any of its tags keeps them all, one that is not goes with
all of them. A repository that no rule in force is about is left alone, and so is one whose policy has no such rule.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.errors import BadRequest, Conflict
from shared.selector import REPOSITORY_DECORATIONS, TAG_DECORATIONS, Selector, check_selectors

ALGORITHM: Final = "or"
ACTION: Final = "retain"
TRIGGER_KIND: Final = "Schedule"
SCOPE_LEVEL: Final = "project"
MAX_RULES: Final = 15
MAX_NUMBER: Final = 32_767
LEASE: Final = timedelta(seconds=60)
"""How long a task is held by whoever carries it out and does not get on."""
_HEADER: Final = ("Digest", "Tag", "Kind", "PushedTime", "PulledTime", "Retention")


class Template(StrEnum):
    """What a rule keeps of the artifacts that its selectors take."""

    LATEST_PUSHED = "latestPushedK"
    """The most recently pushed ones."""
    LATEST_PULLED = "latestPulledN"
    """The most recently pulled ones; what was never pulled comes last."""
    PUSHED_WITHIN = "nDaysSinceLastPush"
    """Those pushed in the last days."""
    PULLED_WITHIN = "nDaysSinceLastPull"
    """Those pulled in the last days."""
    ALWAYS = "always"
    """All of them."""


class Trigger(StrEnum):
    """What began an execution."""

    MANUAL = "MANUAL"
    """Somebody asked for it."""
    SCHEDULE = "SCHEDULE"
    """It was due."""


class Status(StrEnum):
    """Where an execution or a task stands; the words and their numbers are Harbor's."""

    PENDING = "Pending"
    """Nobody has begun it."""
    RUNNING = "Running"
    """It is under way."""
    SUCCESS = "Success"
    """It is done; what could not go is told in the log."""
    ERROR = "Error"
    """It was given up."""
    STOPPED = "Stopped"
    """Somebody stopped it."""

    @property
    def code(self) -> int:
        """Its rank."""
        return {Status.PENDING: 0, Status.RUNNING: 2}.get(self, 3)


class Mark(StrEnum):
    """What becomes of an artifact."""

    RETAIN = "RETAIN"
    """It stays, as a rule keeps it or it changed meanwhile."""
    DELETE = "DEL"
    """It goes, or would go in a dry run."""
    IMMUTABLE = "IMMUTABLE"
    """No rule keeps it, but one of its tags is immutable."""
    ERROR = "ERR"
    """No rule keeps it, and it could not be deleted."""
    STOPPED = "STOPPED"
    """No rule keeps it, and the execution was stopped before its turn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What to keep in the repositories and of the artifacts that the selectors take."""

    template: Template
    number: int | None
    """How many artifacts or days; None for a template without."""
    repository_selectors: tuple[Selector, ...]
    tag_selectors: tuple[Selector, ...]
    disabled: bool = False
    priority: int = 0

    def is_about(self, repository: str) -> bool:
        """Whether it is in force for a repository, named without its project."""
        return not self.disabled and all(selector.takes(repository) for selector in self.repository_selectors)

    def kept(self, candidates: Sequence["Candidate"], now: datetime) -> set[str]:
        """The digests that it keeps."""
        taken = [each for each in candidates if all(_takes(selector, each) for selector in self.tag_selectors)]
        number = self.number or 0
        since = now - timedelta(days=number)
        match self.template:
            case Template.LATEST_PUSHED:
                taken = sorted(taken, key=lambda each: each.pushed_at, reverse=True)[:number]
            case Template.LATEST_PULLED:
                taken = sorted(taken, key=_last_used, reverse=True)[:number]
            case Template.PUSHED_WITHIN:
                taken = [each for each in taken if each.pushed_at >= since]
            case Template.PULLED_WITHIN:
                taken = [each for each in taken if each.pulled_at is not None and each.pulled_at >= since]
        return {each.digest for each in taken}


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyDraft:
    """A policy as it is asked for."""

    rules: tuple[Rule, ...]
    cron: str = ""
    """When it is carried out by itself; empty for never."""

    def checked(self) -> "PolicyDraft":
        """The draft itself. Raises BadRequest where it cannot be a policy, Conflict where a rule stands there twice."""
        if len(self.rules) > MAX_RULES:
            raise BadRequest(f"a retention policy has at most {MAX_RULES} rules")
        for position, rule in enumerate(self.rules):
            check_selectors(rule.repository_selectors, REPOSITORY_DECORATIONS, "scope_selectors.repository")
            check_selectors(rule.tag_selectors, TAG_DECORATIONS, "tag_selectors")
            if rule in self.rules[:position]:
                raise Conflict(f"rule {position} is the same as rule {self.rules.index(rule)}")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A project's policy."""

    id: int
    project_id: int
    project: str
    rules: tuple[Rule, ...]
    schedule_id: int | None
    cron: str
    next_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One time that a policy is carried out."""

    id: int
    policy_id: int
    trigger: Trigger
    dry_run: bool
    status: Status
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What an execution does in one repository."""

    id: int
    execution_id: int
    repository: str
    """The full name."""
    status: Status
    attempts: int
    error: str
    total: int
    retained: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An artifact that may stay or go."""

    digest: str
    tags: tuple[str, ...]
    type: str
    pushed_at: datetime
    pulled_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What was decided of an artifact, and whether that is carried out."""

    candidate: Candidate
    mark: Mark
    reason: str = ""
    settled: bool = True


def parse_number(template: Template, params: Mapping[str, object]) -> int | None:
    """The parameter of a rule, which bears the template's name. Raises BadRequest."""
    if template is Template.ALWAYS:
        return None
    number = params.get(template.value)
    if type(number) is not int or not 0 <= number <= MAX_NUMBER:
        raise BadRequest(f"the rule {template} takes a whole number {template} from 0 to {MAX_NUMBER} in params")
    return number


def judge(rules: Sequence[Rule], candidates: Sequence[Candidate], *, now: datetime) -> list[Mark]:
    """What becomes of each artifact of a repository that the rules are about; immutability is asked elsewhere."""
    kept = set[str]().union(*(rule.kept(candidates, now) for rule in rules))
    return [Mark.RETAIN if each.digest in kept else Mark.DELETE for each in candidates]


def log_text(task: Task, verdicts: Sequence[Verdict], *, dry_run: bool) -> str:
    """A task's log: a table of what stays and what goes, and why something could not go."""
    lines = [
        "Run retention process.",
        f" Repository: {task.repository}",
        f" Rule Algorithm: {ALGORITHM}",
        f" Dry Run: {str(dry_run).lower()}",
        f"Load {len(verdicts)} candidates from repository {task.repository}",
    ]
    rows = [_HEADER, *(_cells(verdict) for verdict in verdicts)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    table = [f"| {' | '.join(map(str.ljust, cells, widths))} |" for cells in rows]
    lines += [table[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *table[1:]] if verdicts else []
    lines += [
        f"{verdict.mark}: {task.repository}@{verdict.candidate.digest}: {verdict.reason}"
        for verdict in verdicts
        if verdict.reason
    ]
    if task.error:
        lines.append(f"Retention task failed: {task.error}")
    if task.status is Status.STOPPED:
        lines.append("Retention task is stopped")
    return "\n".join(lines) + "\n"


def names_of(repository: str, candidate: Candidate) -> list[str]:
    """An artifact by each of its tags, or by its digest where it has none."""
    return [f"{repository}:{tag}" for tag in candidate.tags] or [f"{repository}@{candidate.digest}"]


def rule_json(rule: Rule) -> dict[str, Any]:
    """A rule as Harbor's clients know it, without the number that its place gives it."""
    return {
        "priority": rule.priority,
        "disabled": rule.disabled,
        "action": ACTION,
        "template": rule.template.value,
        "params": {} if rule.number is None else {rule.template.value: rule.number},
        "tag_selectors": [_selector_json(selector) for selector in rule.tag_selectors],
        "scope_selectors": {"repository": [_selector_json(selector) for selector in rule.repository_selectors]},
    }


def rule_of(stored: Mapping[str, Any]) -> Rule:
    """The rule that `rule_json` wrote."""
    template = Template(stored["template"])
    return Rule(
        template=template,
        number=parse_number(template, stored["params"]),
        repository_selectors=tuple(Selector(**each) for each in stored["scope_selectors"]["repository"]),
        tag_selectors=tuple(Selector(**each) for each in stored["tag_selectors"]),
        disabled=stored["disabled"],
        priority=stored["priority"],
    )


def _takes(selector: Selector, candidate: Candidate) -> bool:
    """By any of its tags; what has none is taken along by `matches` and left out by `excludes`, unless told."""
    if candidate.tags:
        return any(selector.takes(tag) for tag in candidate.tags)
    excludes = selector.decoration == "excludes"
    return _untagged(selector, default=not excludes) is not excludes


def _untagged(selector: Selector, *, default: bool) -> bool:
    """What the selector's extras, `{"untagged": true}`, say of artifacts without a tag."""
    try:
        extras = json.loads(selector.extras) if selector.extras else None
    except ValueError:
        return default
    return bool(extras.get("untagged", False)) if isinstance(extras, dict) else default


def _last_used(candidate: Candidate) -> tuple[bool, datetime]:
    return (candidate.pulled_at is not None, candidate.pulled_at or candidate.pushed_at)


def _cells(verdict: Verdict) -> tuple[str, ...]:
    candidate = verdict.candidate
    return (
        candidate.digest,
        ",".join(candidate.tags),
        candidate.type,
        f"{candidate.pushed_at:%Y/%m/%d %H:%M:%S}",
        f"{candidate.pulled_at:%Y/%m/%d %H:%M:%S}" if candidate.pulled_at else "",
        verdict.mark,
    )


def _selector_json(selector: Selector) -> dict[str, str]:
    return {
        "kind": selector.kind,
        "decoration": selector.decoration,
        "pattern": selector.pattern,
        "extras": selector.extras,
    }
