"""What `./breakwater test` gives to its suites."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import typer

from compose.cli import develop
from compose.cli.develop import environment


def test_an_instance_of_this_checkout_means_nothing_to_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "OUTBOUND_ALLOW", "TLS_NAMES", "REGISTRY3", "TEST_COMPOSE"):
        monkeypatch.setenv(f"BREAKWATER_{name}", "/somewhere")
    given = environment()
    of_tests = {"BREAKWATER_REGISTRY3", "BREAKWATER_TEST_COMPOSE"}
    assert {name for name in given if name.startswith("BREAKWATER_")} == of_tests
    assert given["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(("passed", "failed", "said"), [(0, (), True), (3, (), False), (0, ("a test",), False)])
def test_that_nothing_was_tested_in_containers_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], passed: int, failed: tuple[str, ...], *,
    said: bool,
) -> None:
    result = develop.Result(name="containers", ok=not failed, seconds=1, passed=passed, skipped=9, failed=failed)
    suites = {("containers", True): result}
    monkeypatch.setattr(develop, "_suite", lambda path, *, long: suites[path, long])
    with suppress(typer.Exit):
        develop.run_compose_tests()
    assert ("the whole in containers was NOT tested" in capsys.readouterr().out) is said
