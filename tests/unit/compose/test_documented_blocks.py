"""Every block of commands in README.md and docs/ is run by a test, and this says by which.

A block is run as it is where the word behind its language says so; else by a test that asks for it by name.
"""

from __future__ import annotations

import ast
import itertools
import os
import signal
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from compose.local.options import CHECKOUT
from tests.documented import READERS, Block, blocks, documented, run_words

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_ANY_PAGE: Final = dict.fromkeys((("sh", "run"), ("sh", "run-for-5s"), ("sh", "tour")), "tests/e2e/test_docs.py")
OF_THE_CHART: Final = itertools.product(["docs/helm.md"], ["sh", "yaml"], ["helm", "outside", "several"])
ON_ONE_PAGE: Final = {
    ("docs/containers.md", "sh", "containers"): "tests/containers/test_docs.py",
    **dict.fromkeys(OF_THE_CHART, "tests/integration/compose/test_helm_commands.py"),
}
"""What runs, or reads, all blocks of a language with a word."""
PLAIN: Final = [block for block in blocks() if block.language]


THIS: Final = Path(__file__).relative_to(CHECKOUT)


@cache
def asked() -> dict[tuple[str, str], set[str]]:
    """Page and words by which tests ask for a block, and the files of these tests."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in {each.relative_to(CHECKOUT) for each in (CHECKOUT / "tests").rglob("*.py")} - {THIS}:
        for page, says in calls(CHECKOUT / file):
            found.setdefault((page, says), set()).add(str(file))
    return found


def calls(file: Path) -> Iterator[tuple[str, str]]:
    """Each call of `documented` in a file. A page that it names by a constant is looked up among those of the file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {
        target.id: node.value.value
        for node in ast.walk(tree) if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "documented":
            page, says = node.args
            yield str(names[page.id] if isinstance(page, ast.Name) else ast.literal_eval(page)), ast.literal_eval(says)


def run_by(block: Block) -> set[str]:
    """The tests that run a block; none where there is none."""
    if block.word:
        kind = block.language, block.word
        found = ON_ANY_PAGE.get(kind) or ON_ONE_PAGE.get((block.page, *kind))
        return {found} if found else set()
    return {
        file for (page, says), files in asked().items() if page == block.page and says in block.text for file in files
        if documented(page, says).text == block.text
    }


def told(block: Block) -> str:
    return f"{block.place}-{'+'.join(sorted(run_by(block))) or 'nothing'}"


@pytest.mark.parametrize("block", PLAIN, ids=told)
def test_a_block_is_run_by_a_test(block: Block) -> None:
    assert run_by(block), f"no test runs {block.place}:\n{block.text}"


@pytest.mark.parametrize("block", [block for block in blocks() if not block.language], ids=lambda block: block.place)
def test_a_block_of_no_language_holds_no_commands(block: Block) -> None:
    assert "breakwater " not in block.text
    assert "docker " not in block.text.replace(" docker ──", "")


@pytest.mark.parametrize(("page", "says"), sorted(asked()))
def test_what_tests_ask_for_is_there_once(page: str, says: str) -> None:
    assert documented(page, says).page == page


def test_there_are_blocks_of_each_kind() -> None:
    assert {*ON_ANY_PAGE} <= {(block.language, block.word) for block in PLAIN}
    assert {*ON_ONE_PAGE} <= {(block.page, block.language, block.word) for block in PLAIN}
    assert len([block for block in PLAIN if not block.word]) > 25


@pytest.mark.parametrize("changes", [
    {"text": "./breakwater up --quickly\n"}, {"page": "docs/decisions/none.md"}, {"language": "console", "word": "run"},
    {"word": "runs"}, {"word": "helm"},
], ids=str)  # fmt: skip
def test_a_block_that_nothing_runs_is_found(changes: dict[str, str]) -> None:
    block = documented("docs/install.md", "./breakwater up")
    assert run_by(block)
    assert not run_by(replace(block, **changes))  # type: ignore[arg-type]  # they are all texts


def test_a_block_that_was_changed_is_found_where_it_is_run() -> None:
    block = documented("docs/operating.md", "BREAKWATER_DATABASE_HOST")
    with pytest.raises(AssertionError, match=r"names what only a reader has: example\.com"):
        block.fitted({"/etc/ssl/company.pem": "ca", "…": "word"})
    with pytest.raises(AssertionError, match=r"does not say mq\.example\.com"):
        block.fitted({"mq.example.com": "localhost"})
    with pytest.raises(AssertionError, match="0 blocks that say"):
        documented("docs/operating.md", "BREAKWATER_NOTHING")
    with pytest.raises(AssertionError, match=r"[2-9] blocks that say"):
        documented("docs/operating.md", "BREAKWATER_")


@pytest.mark.parametrize(("text", "left"), [
    ("backup FILE", ["FILE"]),
    ("run -v FOLDER:/backup a /backup/FILE", ["FOLDER", "FILE"]), ("push hub.example.com/a", ["example.com"]),
    ("A_SECRET=…", ["…"]), ("cat /etc/ssl/a.pem", ["/etc/ssl/"]), ("export BREAKWATER_PORT=1 A=B", []),
])  # fmt: skip
def test_what_a_reader_has_is_told_from_what_anybody_has(text: str, left: list[str]) -> None:
    assert READERS.findall(text) == left


def test_what_is_put_in_is_put_in_once() -> None:
    block = replace(documented("docs/install.md", "git pull"), text="a FILE b FILE c\n")
    assert block.fitted({"FILE": "of b", "b": "FILE"}) == "a of b FILE of b c\n"


def test_what_does_not_end_in_time_is_ended_with_all_that_it_began() -> None:
    ended = run_words(["sh", "-c", "echo begun; sleep 60 & wait"], os.environ, seconds=0.5)
    assert (ended.code, ended.said) == (None, "begun\n")


def test_what_runs_ends_where_the_tests_are_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[subprocess.Popen[str]] = []

    def interrupted(process: subprocess.Popen[str], *_: object, **__: object) -> None:
        begun.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_words(["sleep", "60"], os.environ)
    assert begun[0].returncode == -signal.SIGTERM
