"""`check`, `test`, `test-all`, `test-compose`: for whoever changes Breakwater."""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from compose.cli.terminal import out
from compose.local.options import CHECKOUT

SUITES = ("unit", "integration", "eventlet", "e2e", "portal")
"""Each in a process of its own: one of them patches the standard library, one keeps a loop running for its browser."""
OTHER_FORMS = ("containers/test_scale.py", "containers/test_pods.py", "containers/test_official.py")
"""Several of each part, and official images: they run where they are named, not with their folder."""
BRIEF = tuple(f"containers/test_{name}.py" for name in ("running", "replicating", "killed"))
"""That the whole in containers works, is closed, and survives: what is tested of it where time is short."""
_MOST_WORKERS = {"unit": 4, "integration": 4, "e2e": 2, "portal": 2}
"""Suites that run on several cores, and where memory ends: a worker has servers, or a whole instance, of its own.

A test that needs the machine to itself is marked `alone`: the other workers wait for it.
"""
_OF_TESTS = frozenset(
    f"BREAKWATER_{name}"
    for name in ("E2E_HOME", "E2E_PORT", "REGISTRY3", "REGISTRY_PROGRAM", "TEST_COMPOSE", "TEST_IMAGES")
)
"""What tests themselves heed; all else that is called so is an instance's."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one suite, or one check, ended."""

    name: str
    ok: bool
    seconds: float
    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()


def check() -> None:
    """Lint, types and imports. Exit code 1 where one of them objects."""
    binaries = Path(sys.executable).parent
    commands: dict[str, list[Path | str]] = {
        "ruff": [binaries / "ruff", "check", "."],
        "mypy": [binaries / "mypy"],
        "imports": [binaries / "lint-imports"],
        "shell": ["sh", "-n", "breakwater"],
        "shell of the base": ["sh", "-n", "compose/docker/base.sh"],
    }
    results = [_run(name, command) for name, command in commands.items()]
    _conclude(results)


def run_tests(
    paths: Annotated[list[str] | None, typer.Argument(help="Some of the tests: unit, e2e/test_images.py …")] = None,
) -> None:
    """Run the tests, servers included. Exit code 1 where one fails."""
    _conclude([_suite(path, long=False) for path in paths or SUITES])


def run_all_tests() -> None:
    """Run the tests, also those that take minutes or gigabytes, and other forms of containers where an engine runs."""
    _conclude([_suite(path, long=True) for path in (*SUITES, *OTHER_FORMS)])


def run_compose_tests(
    *,
    brief: Annotated[bool, typer.Option("--brief", help="Only that the whole works, is closed, and survives.")] = False,
) -> None:
    """Build all images, start the whole in containers, use it, break it. Says so where no engine can be started."""
    result = _suite("containers", *(BRIEF if brief else ()), long=True)
    if not result.passed and not result.failed:
        out.print("[bold yellow]the whole in containers was NOT tested: the reason stands above[/bold yellow]")
    _conclude([result])


def _run(name: str, command: list[Path | str]) -> Result:
    _head(name)
    begun = time.monotonic()
    done = subprocess.run(command, cwd=CHECKOUT, check=False)
    return Result(name=name, ok=done.returncode == 0, seconds=time.monotonic() - begun)


def _head(title: str) -> None:
    """A line between what several programs print: written before they write."""
    out.rule(title, align="left")
    out.file.flush()


def _suite(path: str, *only: str, long: bool) -> Result:
    """One suite, or a file or some files of it, in one process."""
    _head(path)
    report = CHECKOUT / "var" / "test" / f"{path.replace('/', '-')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    places = [f"tests/{each.removeprefix('tests/')}" for each in only or (path,)]
    command = [sys.executable, "-m", "pytest", *places, "-q", f"--junitxml={report}"]
    marks = ([] if long else ["not long"]) + ([] if path.endswith(OTHER_FORMS) else ["not cluster"])
    command += ["-m", " and ".join(marks)] if marks else []
    if not long:
        command += _workers(path)
    begun = time.monotonic()
    code = subprocess.run(command, cwd=CHECKOUT, env=environment(), check=False).returncode
    cases = ET.parse(report).getroot().iter("testcase") if report.exists() else ()  # noqa: S314 - pytest wrote it
    passed, skipped, failed = 0, 0, []
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Result(
        name=path, ok=code == 0, seconds=time.monotonic() - begun,
        passed=passed, skipped=skipped, failed=tuple(failed),
    )  # fmt: skip


def environment() -> dict[str, str]:
    """What tests are run with: nothing of an instance, which may be running in this checkout."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("BREAKWATER_") or name in _OF_TESTS
    }


def _workers(path: str) -> list[str]:
    """A worker for each core, with servers of its own; a module stays whole, as some build on what came before."""
    tests = path.removeprefix("tests/")
    count = min(len(os.sched_getaffinity(0)), _MOST_WORKERS.get(tests.split("/")[0], 1))
    if count == 1 or not (CHECKOUT / "tests" / tests).is_dir():
        return []
    return ["-n", str(count), "--dist", "loadfile"]


def _conclude(results: list[Result]) -> None:
    """The one summary at the end, and the exit code."""
    out.rule("summary", align="left")
    table = Table(box=None, pad_edge=False)
    for title in ("", "passed", "skipped", "failed", "seconds"):
        table.add_column(title, justify="right" if title else "left")
    for result in results:
        verdict = "[green]ok[/green]" if result.ok else "[red]FAILED[/red]"
        counts = [str(count or "") for count in (result.passed, result.skipped, len(result.failed))]
        table.add_row(f"{verdict} {result.name}", *counts, f"{result.seconds:.0f}")
    out.print(table)
    for result in results:
        for name in result.failed:
            out.print(f"[red]failed:[/red] {escape(name)}")
    if all(result.ok for result in results):
        out.print("[bold green]all is well[/bold green]")
        return
    out.print(f"[bold red]not well: {', '.join(result.name for result in results if not result.ok)}[/bold red]")
    raise typer.Exit(1)
