"""What `./breakwater test` gives to its suites."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
import typer

from compose.cli import develop
from compose.cli.develop import BRIEF, OTHER_FORMS, environment
from compose.cli.main import app
from compose.local.options import CHECKOUT
from tests.sentences import words_said

ALL: Final = {"unit", "integration", "eventlet", "e2e", "portal", *OTHER_FORMS}


def test_an_instance_of_this_checkout_means_nothing_to_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "OUTBOUND_ALLOW", "TLS_NAMES", "REGISTRY3", "TEST_COMPOSE"):
        monkeypatch.setenv(f"BREAKWATER_{name}", "/somewhere")
    given = environment()
    of_tests = {"BREAKWATER_REGISTRY3", "BREAKWATER_TEST_COMPOSE"}
    assert {name for name in given if name.startswith("BREAKWATER_")} == of_tests
    assert given["PATH"] == os.environ["PATH"]


def test_what_is_tested_apart_is_there() -> None:
    assert [path for path in (*BRIEF, *OTHER_FORMS) if not (CHECKOUT / "tests" / path).is_file()] == []


def test_ci_never_leaves_the_containers_out() -> None:
    lines = (CHECKOUT / ".ci" / "run").read_text().split("if ((", 1)[1].splitlines()
    assert [line.strip() for line in lines if "breakwater" in line] == [
        "./breakwater test-compose", "./breakwater test-compose --brief",
    ]  # fmt: skip


@pytest.mark.parametrize("brief", [False, True])
@pytest.mark.parametrize(("passed", "failed", "said"), [(0, (), True), (3, (), False), (0, ("a test",), False)])
def test_that_nothing_was_tested_in_containers_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], passed: int, failed: tuple[str, ...], *,
    said: bool, brief: bool,
) -> None:
    result = develop.Result(name="containers", ok=not failed, seconds=1, passed=passed, skipped=9, failed=failed)
    suites = {("containers", BRIEF if brief else (), True): result}
    monkeypatch.setattr(develop, "_suite", lambda path, *only, long: suites[path, only, long])
    with suppress(typer.Exit):
        develop.run_compose_tests(brief=brief)
    assert ("the whole in containers was NOT tested" in capsys.readouterr().out) is said


@pytest.mark.parametrize(("command", "suites"), [
    ("./breakwater test-all", ALL), ("./breakwater test-compose", {"containers"}),
])  # fmt: skip
def test_documented_command_begins_its_suites_with_the_long_ones(
    monkeypatch: pytest.MonkeyPatch, command: str, suites: set[str]
) -> None:
    """What it begins is not run: this is a part of it."""
    begun: dict[str, bool] = {}

    def suite(path: str, *only: str, long: bool) -> develop.Result:
        assert not only
        begun[path] = long
        return develop.Result(name=path, ok=path != "unit", seconds=1, passed=1)

    monkeypatch.setattr(develop, "_suite", suite)
    code = app(words_said(command), standalone_mode=False)
    assert begun == dict.fromkeys(suites, True)
    assert (code == 1) is ("unit" in suites)


@pytest.mark.parametrize(("command", "program", "place", "words"), [
    ("./breakwater bench --only costs", "tests.bench", CHECKOUT / "var" / "bench", ["--only", "costs"]),
    ("./breakwater screenshots", "tests.portal.screenshots", CHECKOUT / "docs", []),
])  # fmt: skip
def test_documented_command_begins_what_other_tests_run(
    monkeypatch: pytest.MonkeyPatch, command: str, program: str, place: Path, words: list[str]
) -> None:
    begun = []

    def run(given: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        begun.append(given)
        return subprocess.CompletedProcess(given, 3)

    monkeypatch.setattr(subprocess, "run", run)
    assert app(words_said(command), standalone_mode=False) == 3
    ((python, _, module, _, file, *rest),) = begun
    assert (python, module, Path(file).parent, rest) == (sys.executable, program, place, words)
