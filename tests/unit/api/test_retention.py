"""What rules keep of a repository's artifacts, and how a task's log tells it."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.domain.retention import (
    Candidate,
    Mark,
    Rule,
    Status,
    Task,
    Template,
    Verdict,
    judge,
    log_text,
    names_of,
    rule_json,
    rule_of,
)
from shared.selector import Selector

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVERYWHERE = (Selector(decoration="repoMatches", pattern="**"),)


def artifact(name: str, *tags: str, pushed: float = 0, pulled: float | None = None) -> Candidate:
    """Pushed and pulled so many days ago."""
    return Candidate(
        digest=name,
        tags=tags,
        type="IMAGE",
        pushed_at=NOW - timedelta(days=pushed),
        pulled_at=None if pulled is None else NOW - timedelta(days=pulled),
    )


def rule(template: Template = Template.ALWAYS, number: int | None = None, *, tags: str = "**", **more: str) -> Rule:
    selector = Selector(decoration=more.get("decoration", "matches"), pattern=tags, extras=more.get("extras", ""))
    return Rule(template=template, number=number, repository_selectors=EVERYWHERE, tag_selectors=(selector,))


def kept(rules: list[Rule], candidates: list[Candidate]) -> set[str]:
    marks = judge(rules, candidates, now=NOW)
    assert set(marks) <= {Mark.RETAIN, Mark.DELETE}
    return {each.digest for each, mark in zip(candidates, marks, strict=True) if mark is Mark.RETAIN}


FOUR = [
    artifact("new", "v3", pushed=1),
    artifact("used", "v2", pushed=20, pulled=2),
    artifact("mid", "v1", pushed=10, pulled=9),
    artifact("old", "v0", "first", pushed=30),
]


@pytest.mark.parametrize(
    ("template", "number", "stay"),
    [
        (Template.LATEST_PUSHED, 2, {"new", "mid"}),
        (Template.LATEST_PUSHED, 9, {"new", "mid", "used", "old"}),
        (Template.LATEST_PUSHED, 0, set()),
        (Template.LATEST_PULLED, 1, {"used"}),
        (Template.LATEST_PULLED, 3, {"used", "mid", "new"}),
        (Template.PUSHED_WITHIN, 10, {"new", "mid"}),
        (Template.PUSHED_WITHIN, 9, {"new"}),
        (Template.PULLED_WITHIN, 9, {"used", "mid"}),
        (Template.PULLED_WITHIN, 32_767, {"used", "mid"}),
        (Template.ALWAYS, None, {"new", "mid", "used", "old"}),
    ],
)
def test_a_rule_keeps(template: Template, number: int | None, stay: set[str]) -> None:
    assert kept([rule(template, number)], FOUR) == stay


def test_what_any_rule_keeps_stays() -> None:
    rules = [rule(Template.LATEST_PUSHED, 1), rule(Template.LATEST_PULLED, 1)]
    assert kept(rules, FOUR) == {"new", "used"}


def test_an_artifact_stays_by_any_of_its_tags() -> None:
    assert kept([rule(tags="first")], FOUR) == {"old"}


def test_a_rule_counts_only_what_its_selectors_take() -> None:
    assert kept([rule(Template.LATEST_PUSHED, 1, tags="v[012]")], FOUR) == {"mid"}
    assert kept([rule(Template.LATEST_PUSHED, 1, tags="v3", decoration="excludes")], FOUR) == {"mid"}


@pytest.mark.parametrize(
    ("decoration", "extras", "stays"),
    [
        ("matches", "", True),
        ("matches", '{"untagged": true}', True),
        ("matches", '{"untagged": false}', False),
        ("matches", "no json", True),
        ("matches", "[]", True),
        ("matches", "{}", False),
        ("excludes", "", True),
        ("excludes", '{"untagged": true}', False),
        ("excludes", '{"untagged": false}', True),
    ],
)
def test_artifacts_without_a_tag_follow_the_selectors_extras(decoration: str, extras: str, *, stays: bool) -> None:
    assert kept([rule(tags="x", decoration=decoration, extras=extras)], [artifact("bare")]) == (
        {"bare"} if stays else set()
    )


def test_a_rule_that_is_off_is_about_nothing() -> None:
    off = Rule(
        template=Template.ALWAYS, number=None, repository_selectors=EVERYWHERE, tag_selectors=(), disabled=True
    )
    assert not off.is_about("app")
    assert rule().is_about("app")


@pytest.mark.parametrize("stored", [rule(), rule(Template.PULLED_WITHIN, 7, tags="v*", extras='{"untagged": true}')])
def test_a_rule_is_read_as_it_was_written(stored: Rule) -> None:
    assert rule_of(rule_json(stored)) == stored


def test_the_log_is_a_table_and_tells_why_something_stayed() -> None:
    task = Task(
        id=1, execution_id=1, repository="library/app", status=Status.STOPPED, attempts=1, error="", total=2,
        retained=1, created_at=NOW, started_at=NOW, finished_at=NOW,
    )  # fmt: skip
    verdicts = [
        Verdict(candidate=artifact("sha256:a", "v1", "v2", pulled=1), mark=Mark.DELETE),
        Verdict(candidate=artifact("sha256:b"), mark=Mark.ERROR, reason="an index refers to it"),
    ]
    lines = log_text(task, verdicts, dry_run=False).splitlines()
    assert lines[3:] == [
        " Dry Run: false",
        "Load 2 candidates from repository library/app",
        "| Digest   | Tag   | Kind  | PushedTime          | PulledTime          | Retention |",
        "|----------|-------|-------|---------------------|---------------------|-----------|",
        "| sha256:a | v1,v2 | IMAGE | 2026/03/01 00:00:00 | 2026/02/28 00:00:00 | DEL       |",
        "| sha256:b |       | IMAGE | 2026/03/01 00:00:00 |                     | ERR       |",
        "ERR: library/app@sha256:b: an index refers to it",
        "Retention task is stopped",
    ]


def test_an_artifact_is_named_by_its_tags_or_its_digest() -> None:
    assert names_of("p/app", artifact("sha256:a", "v1", "v2")) == ["p/app:v1", "p/app:v2"]
    assert names_of("p/app", artifact("sha256:a")) == ["p/app@sha256:a"]
