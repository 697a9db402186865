"""The script that people call, as far as it goes before anything is installed."""

from __future__ import annotations

import re
import subprocess

import pytest
import typer

from compose.cli.main import app
from compose.local.options import CHECKOUT
from tests.sentences import words_said

SCRIPT = CHECKOUT / "breakwater"
IN_THE_SCRIPT_ITSELF = {"help", "lock"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", SCRIPT, *words], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("words", [(), (*words_said("./breakwater help"),), ("--help",), ("-h",)])
def test_help_needs_nothing_installed(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 0
    assert "./breakwater VERB" in done.stdout


def test_help_lists_every_verb_there_is() -> None:
    listed = {
        word.strip().split()[0]
        for line in run("help").stdout.splitlines()
        if (match := re.match(r"  (\S.*?)  ", line))
        for word in match[1].split(",")
    }
    assert listed == {*typer.main.get_command(app).commands} | IN_THE_SCRIPT_ITSELF  # type: ignore[attr-defined]


def test_unknown_verb_is_wrong_usage() -> None:
    done = run("nonsense")
    assert done.returncode == 2
    assert done.stderr == "breakwater: there is no verb 'nonsense'; ./breakwater help lists them\n"


def test_shell_is_posix() -> None:
    assert SCRIPT.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["dash", "-n", SCRIPT], check=False).returncode == 0


def test_makefile_has_the_script_s_verbs() -> None:
    verbs = re.search(r"^VERBS := (.*)$", CHECKOUT.joinpath("Makefile").read_text(), re.MULTILINE)
    assert verbs
    assert {*verbs[1].split()} < {*typer.main.get_command(app).commands}  # type: ignore[attr-defined]
