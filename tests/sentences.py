"""The commands within sentences of README.md and docs/: found, and given to the tests that run them.

A sentence may leave `./breakwater` away (`keys renew`), and has placeholders in capitals. By which test each is run
tells tests/unit/compose/test_documented_sentences.py.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Final

from compose.cli.verbs import PLACES
from compose.local.options import CHECKOUT
from tests.documented import FENCE, PAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

INLINE: Final = re.compile(r"`([^`]+)`")
OURS: Final = frozenset((*PLACES, "help", "lock"))
"""The verbs of our command, those included that the script sees to by itself."""
PROGRAMS: Final = frozenset((
    "./breakwater", "CREATE", "curl", "docker", "helm", "kubectl", "podman", "python", "rabbitmqctl", "skopeo",
    "systemctl", "update-ca-certificates",
))  # fmt: skip
WHOLE: Final = frozenset(("update-ca-certificates",))
"""Those that are a command without any other word."""
CALLED_BY_TESTS: Final = ("./breakwater ", "docker compose ")
"""What a test has a way of its own to call."""

ASK: Final = ("events dead-letters", "events follow", "events parked", "gc list", "logs")
"""Verbs of ours that change nothing, and end by themselves but where they follow."""


@cache
def inline() -> dict[str, list[str]]:
    """All that stands between backticks outside of blocks, each with its places."""
    found: dict[str, list[str]] = {}
    for page in PAGES:
        text = FENCE.sub(lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"))
        for match in INLINE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.setdefault(" ".join(match[1].split()), []).append(f"{page.relative_to(CHECKOUT)}:{line}")
    return found


def command_of(text: str) -> str | None:
    """What of it is a command, in full; None where it is none, as one word alone names a program or a verb."""
    first, _, rest = text.partition(" ")
    if text in WHOLE:
        return text
    if not rest or text in {called.strip() for called in CALLED_BY_TESTS}:
        return None
    if first == "breakwater":
        return f"./{text}"
    return f"./breakwater {text}" if first in OURS else text if first in PROGRAMS else None


@cache
def commands() -> dict[str, list[str]]:
    """All commands that sentences say, in full, each with its places."""
    found: dict[str, list[str]] = {}
    for text, places in inline().items():
        if command := command_of(text):
            found.setdefault(command, []).extend(places)
    return found


def said(command: str, places: Mapping[str, str] | None = None) -> str:
    """A command that some sentence says, with something else in the place of each of these texts of it.

    The test that runs it asks for it here: it fails once no page says it any more.
    """
    assert command in commands(), f"no sentence says {command}"
    text = command
    for name, value in (places or {}).items():
        assert name in text, f"{command} does not say {name}"
        text = text.replace(name, value)
    return text


def words_said(command: str, places: Mapping[str, str] | None = None) -> list[str]:
    """Its words, but for `./breakwater` or `docker compose`: a test has a way of its own to call these."""
    text = said(command, places)
    called = next((each for each in CALLED_BY_TESTS if text.startswith(each)), "")
    return shlex.split(text.removeprefix(called))


def asking() -> set[str]:
    """Those of our commands that change nothing: tests/e2e/test_sentences.py runs all of them."""
    asks = re.compile(rf"\./breakwater (?:{'|'.join(ASK)})(?= --| list|$)")
    return {command for command in commands() if asks.match(command)}
