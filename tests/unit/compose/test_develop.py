"""What `./breakwater test` gives to its suites."""

from __future__ import annotations

import os

import pytest

from compose.cli.develop import environment


def test_an_instance_of_this_checkout_means_nothing_to_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "OUTBOUND_ALLOW", "TLS_NAMES", "REGISTRY3", "TEST_COMPOSE"):
        monkeypatch.setenv(f"BREAKWATER_{name}", "/somewhere")
    given = environment()
    of_tests = {"BREAKWATER_REGISTRY3", "BREAKWATER_TEST_COMPOSE"}
    assert {name for name in given if name.startswith("BREAKWATER_")} == of_tests
    assert given["PATH"] == os.environ["PATH"]
