"""The fenced blocks of README.md and docs/: found by a word, fitted to where they are run, and run there.

A word behind the fence's language says what runs a block as it is. One without has names that are a reader's own: the
test that has such a place anyhow asks for it here and puts its own names in. So a block that was changed fails where it
is run; which test that is, tests/unit/compose/test_documented_blocks.py tells of each.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGES: Final = (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md")))
FENCE: Final = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
READERS: Final = re.compile(r"example\.(?:com|org|net)|dc=example|/etc/ssl/|/srv/|…|(?<![\w-])[A-Z]{3,}(?=[\s:]|$)")
"""What stands for something that a reader has: a host, a file of his, a secret, a word in capitals."""
COMMAND: Final = re.compile(r"(?<!\S)\./breakwater(?=\s)")
SECONDS: Final = 300
SECONDS_TO_END: Final = 15


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block, `word` being what stands behind its language."""

    page: str
    line: int
    language: str
    word: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def fitted(self, places: Mapping[str, str] | None = None) -> str:
        """With something else in the place of each of these texts, which are all in it. No reader's may be left."""
        places = places or {}
        absent = [text for text in places if text not in self.text]
        assert not absent, f"{self.place} does not say {', '.join(absent)}"
        # the longest first, and all at once: what is put in is not looked at again
        named = re.compile("|".join(re.escape(text) for text in sorted(places, key=len, reverse=True)) or "(?!)")
        left = READERS.findall(named.sub("", self.text)) if self.language == "sh" else []
        assert not left, f"{self.place} names what only a reader has: {', '.join(left)}"
        return named.sub(lambda match: places[match[0]], self.text)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended, with no exit code where its time was over, and all that it said."""

    code: int | None
    said: str


def blocks() -> list[Block]:
    """Every block of every page, one of no language too."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            language, _, word = match[2].strip().partition(" ")
            line = text.count("\n", 0, match.start()) + 1
            name = str(page.relative_to(CHECKOUT))
            found.append(Block(page=name, line=line, language=language, word=word, text=match[3]))
    return found


def documented(page: str, says: str) -> Block:
    """The one block of a page that says this, or nothing but this, and whose fence has no word."""
    found = [block for block in blocks() if (block.page, block.word) == (page, "") and says in block.text]
    found = [block for block in found if block.text == f"{says}\n"] or found
    assert len(found) == 1, f"{page} has {len(found)} blocks that say {says!r}: {[block.line for block in found]}"
    return found[0]


def by_ci(block: Block) -> dict[str, str]:
    """In the place of those commands of a block that CI begins with: a test that runs them would run itself."""
    begun = (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    found = {command: ":" for command in ("./breakwater check", "./breakwater test") if command in block.text}
    assert found
    assert {*found} <= {*begun}, f".ci/run does not run {', '.join(found)}"
    return found


def with_command(text: str) -> str:
    """The command as it can be called from here, wherever that is."""
    command = shlex.quote(str(CHECKOUT / "breakwater"))
    if not Path(sys.prefix, "installed").exists():  # not run by ./breakwater: it would look for its own environment
        command = f"{shlex.quote(sys.executable)} -P -m compose.cli"
    return COMMAND.sub(lambda _: command, text)


def run_commands(
    text: str, environment: Mapping[str, str], *, seconds: float = SECONDS, given: str = "", folder: Path = CHECKOUT
) -> str:
    """Runs lines of a shell, each of which has to succeed; what they said."""
    words = ["sh", "-euc", with_command(text)]
    ended = run_words(words, environment, seconds=seconds, given=given, folder=folder)
    assert ended.code == 0, f"{text}\nended with {ended.code}:\n{ended.said}"
    return ended.said


def run_words(
    words: list[str], environment: Mapping[str, str], *, seconds: float = SECONDS, given: str = "",
    folder: Path = CHECKOUT,
) -> Ended:
    """Runs a program to its end, or until that time is over: then it is ended with all that it began."""
    with subprocess.Popen(
        words, cwd=folder, env=dict(environment), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            return Ended(code=None, said=said)
        except BaseException:
            # who interrupts the tests does not reach it: its session is its own
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(SECONDS_TO_END)
            raise
    return Ended(code=process.returncode, said=said)
