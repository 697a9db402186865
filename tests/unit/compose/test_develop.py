"""What `./breakwater test` gives to its suites."""

from __future__ import annotations

import os

import pytest

from compose.cli.develop import BRIEF, OTHER_FORMS, environment
from compose.local.options import CHECKOUT


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
