"""Every command within a sentence of README.md or docs/ is run by a test, and this says by which.

It is a line of a block that is run, or one of those that change nothing, which are all run, or a test asks for it by
its words. Where a sentence names no more than the beginning of a command, a block has the whole.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from compose.local.options import CHECKOUT
from tests.documented import blocks
from tests.sentences import asking, command_of, commands, inline
from tests.unit.compose.test_documented_blocks import run_by as block_run_by

THIS: Final = Path(__file__).relative_to(CHECKOUT)
NONE: Final = (
    r"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /.+|[{-].*|\S+: .*|\S+ = .*|ldap_\w+ (?:true|false)|"
    r"(?:create event|publish breakwater\.events|replicate copy)|dependency failed to start|docker compose"
)
"""What has several words and is no command: requests, settings, spans of a trace, what others say, and a program."""
BETWEEN: Final = re.compile(r"\|+|&&|;|\$\(|\n")
VARIABLES: Final = re.compile(r"^(?:\w+=\S*\s+)+")


@cache
def lines() -> dict[str, set[str]]:
    """Each command of a block of commands, and the tests that run the block."""
    found: dict[str, set[str]] = {}
    for block in blocks():
        if block.language == "sh":
            for line in BETWEEN.split(re.sub(r"\\\n\s*", "", re.sub(r"\s#.*", "", block.text))):
                command = " ".join(VARIABLES.sub("", line.strip()).split())
                found.setdefault(command, set()).update(block_run_by(block))
    return found


@cache
def asked() -> dict[str, set[str]]:
    """Each text of a test that is given commands of sentences, and the files that have it."""
    found: dict[str, set[str]] = {}
    for file in (CHECKOUT / "tests").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if file.relative_to(CHECKOUT) != THIS and re.search("^from tests.sentences import .*said", text, re.MULTILINE):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.setdefault(node.value, set()).add(str(file.relative_to(CHECKOUT)))
    return found


def run_by(command: str) -> set[str]:
    """The tests that run a command; none where there is none."""
    whole = re.compile(rf"{re.escape(command)}(?: [^-\s].*)?")
    in_blocks = [files for line, files in lines().items() if whole.fullmatch(line)]
    return {
        *(file for files in in_blocks for file in files),
        *({"tests/e2e/test_sentences.py"} if command in asking() else ()),
        *asked().get(command, ()),
    }


def told(command: str) -> str:
    return f"{command}-{'+'.join(sorted(run_by(command))) or 'nothing'}"


@pytest.mark.parametrize("command", sorted(commands()), ids=told)
def test_a_command_of_a_sentence_is_run_by_a_test(command: str) -> None:
    assert run_by(command), f"no test runs {command} of {', '.join(commands()[command])}"


@pytest.mark.parametrize("text", sorted(text for text in inline() if " " in text and not command_of(text)))
def test_what_has_several_words_is_a_command_or_known_to_be_none(text: str) -> None:
    assert re.fullmatch(NONE, text), f"`{text}` of {', '.join(inline()[text])}: is it a command?"


def test_there_are_commands_of_each_kind() -> None:
    assert len(commands()) > 60
    assert len(asking()) > 15
    assert len([command for command in commands() if command in asked()]) > 20


@pytest.mark.parametrize(("command", "is_run"), [
    ("./breakwater doctor", True), ("./breakwater config set", True), ("./breakwater config sets", False),
    ("./breakwater doctor --once", False), ("./breakwater gc run", True), ("./breakwater gc", True),
    ("./breakwater backup", True), ("docker compose down --rmi", False), ("docker", True), ("git push", False),
])  # fmt: skip
def test_what_is_run_is_told_from_what_is_not(command: str, is_run: bool) -> None:  # noqa: FBT001 - a table's column
    assert bool(run_by(command)) is is_run


@pytest.mark.parametrize(("text", "command"), [
    ("keys renew", "./breakwater keys renew"), ("breakwater up", "./breakwater up"), ("up", None),
    ("./breakwater up", "./breakwater up"),
    ("docker compose", None), ("docker compose ps", "docker compose ps"), ("GET /metrics", None),
    ("update-ca-certificates", "update-ca-certificates"), ("./breakwater", None), ("breakwater", None),
])  # fmt: skip
def test_a_command_is_told_from_what_is_none(text: str, command: str | None) -> None:
    assert command_of(text) == command
