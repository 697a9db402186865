"""Every command that documentation, portal and findings name is one that there is, with its options and settings.

Blocks are run too: test_documented_blocks.py tells by what. This is for what stands between them, and in the portal.
"""

from __future__ import annotations

import re
import shlex

import pytest
import typer

# where typer keeps its own: it offers BadParameter alone
from typer._click.exceptions import UsageError
from typer.core import TyperGroup

from compose.cli.main import app
from compose.local.options import CHECKOUT

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
SOURCES = [
    *PAGES,
    *sorted((CHECKOUT / "gateway" / "portal").rglob("*.py")),
    *sorted((CHECKOUT / "gateway" / "portal").rglob("*.html")),
    *sorted((CHECKOUT / "compose" / "local" / "doctor").rglob("*.py")),
]
BLOCK = re.compile(r"^```sh.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"(?:^|\s)\./breakwater ([a-z].*)$")
INLINE = re.compile(r"`(?:\./)?breakwater ([a-z][^`{}]*)`")
HINT = re.compile(r"Look at its log: breakwater ([a-z][^\".{}]*)\.")
OF_THEIR_OWN = {"QUEUE": "audit", "UUID": "00000000-0000-0000-0000-000000000000"}
"""What stands for placeholders that are not of a number or of any word."""
SETTING = re.compile(r"\bBREAKWATER_[A-Z0-9_]*[A-Z0-9]\b")


def commands() -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
        given = [match[1] for line in lines if (match := LINE.search(line))]
        for command in [*given, *INLINE.findall(text), *HINT.findall(text)]:
            if command != "help":  # the script's own, with no environment at all
                found.setdefault(command.strip(), source.name)
    return [(source, command) for command, source in found.items()]


def words(command: str) -> list[str]:
    """Those up to a comment, a pipe or a redirection."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|<>&;")
    lexer.whitespace_split = True
    taken: list[str] = []
    for word in lexer:
        if set(word) <= set("|<>&;"):
            break
        taken.append(OF_THEIR_OWN.get(word, "1") if word.isupper() else word)
    return taken


def wrong(given: list[str]) -> str:
    """What the command line says of them where it would not run them. A verb that is only named lacks its arguments."""
    command = typer.main.get_command(app)
    context = command.context_class(command, info_name="breakwater")
    try:
        while isinstance(command, TyperGroup) and given and not given[0].startswith("-"):
            name, found, given = command.resolve_command(context, given)
            assert found is not None
            command, context = found, found.context_class(found, info_name=name, parent=context)
        if given or not isinstance(command, TyperGroup):
            command.parse_args(context, given)
    except typer.Exit:
        return ""
    except (UsageError, typer.BadParameter) as error:
        said = error.format_message()
        return "" if said.startswith("Missing argument") else said
    return ""


def test_there_are_commands() -> None:
    assert len(commands()) > 60


@pytest.mark.parametrize(("source", "command"), commands())
def test_a_command_that_is_named_is_one_that_there_is(source: str, command: str) -> None:
    assert wrong(words(command)) == "", source


@pytest.mark.parametrize("command", ["log", "logs core", "keys rotat", "status --all", "gc stop one", "up now"])
def test_what_there_is_not_is_found(command: str) -> None:
    assert wrong(words(command))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_setting_that_is_named_is_one_that_there_is(page: object) -> None:
    listed = (CHECKOUT / "docs" / "configuration.md").read_text()
    known = {"BREAKWATER_REPLICAS", "BREAKWATER_TEST_COMPOSE", *SETTING.findall(listed)}
    assert {*SETTING.findall(page.read_text())} - known == set()  # type: ignore[attr-defined]  # a path
