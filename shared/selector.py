"""Selectors: what a rule says of repositories and tags, as doublestar patterns that match or exclude.

`*` and `?` stop at a slash, `**` does not, `{a,b}` is either; the grammar is that of Harbor's rules.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import bracex
from wcmatch import glob

from shared.errors import BadRequest

KIND: Final = "doublestar"
REPOSITORY_DECORATIONS: Final = ("repoMatches", "repoExcludes")
TAG_DECORATIONS: Final = ("matches", "excludes")
MAX_PATTERN: Final = 255
MAX_SELECTORS: Final = 10

_FLAGS: Final = glob.GLOBSTAR | glob.DOTGLOB | glob.CASE | glob.FORCEUNIX
_MAX_ALTERNATIVES: Final = 100
_WILD: Final = re.compile(r"[*?\[\\]")
_SPECIAL: Final = re.compile(r"[*?\[\\{]")
_WHOLE: Final = re.compile(r"\\.|\[[!^]?(?:\\.|[^\]\\])+\]", re.DOTALL)
"""What stands for one character by an escape or a class."""
_ONE_ALTERNATIVE: Final = re.compile(r"(?<!\\)\{([^{},]*)\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """One pattern, and whether it takes in what matches or what does not."""

    decoration: str
    pattern: str
    kind: str = KIND
    extras: str = ""

    def takes(self, name: str) -> bool:
        """Whether a name is among those meant."""
        return matches(self.pattern, name) is not self.decoration.endswith("xcludes")


def matches(pattern: str, name: str) -> bool:
    """Whether a name follows a doublestar pattern, from its first to its last character."""
    return glob.globmatch(name, _alternatives(pattern), flags=_FLAGS)


def alternatives_of(pattern: str) -> list[str] | None:
    """The names that a pattern stands for where it names them all, else None."""
    found = _alternatives(pattern)
    return None if any(_WILD.search(each) for each in found) else found


def literal_prefix_of(pattern: str) -> str:
    """What every name that follows a pattern begins with."""
    return _SPECIAL.split(pattern, maxsplit=1)[0]


def check_selectors(selectors: Sequence[Selector], decorations: Sequence[str], what: str) -> tuple[Selector, ...]:
    """The selectors themselves. Raises BadRequest where there are none, or one cannot be used."""
    if not 1 <= len(selectors) <= MAX_SELECTORS:
        raise BadRequest(f"{what} takes 1 to {MAX_SELECTORS} selectors")
    for selector in selectors:
        if selector.kind != KIND:
            raise BadRequest(f"the kind of a selector must be {KIND}")
        if selector.decoration not in decorations:
            raise BadRequest(f"the decoration of a selector in {what} must be one of {', '.join(decorations)}")
        check_pattern(selector.pattern, f"a selector in {what}")
    return tuple(selectors)


def check_pattern(pattern: str, what: str) -> None:
    """Raises BadRequest where a pattern is empty, or cannot be used."""
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise BadRequest(f"the pattern of {what} takes 1 to {MAX_PATTERN} characters")
    if not _is_closed(pattern):
        raise BadRequest(
            f"the pattern {pattern[:80]!r} has a bracket or brace that is not closed, or ends with a backslash"
        )
    if not _is_usable(pattern):
        raise BadRequest(f"the pattern {pattern[:80]!r} has more than {_MAX_ALTERNATIVES} alternatives")


def _is_closed(pattern: str) -> bool:
    """Whether each class and each choice ends: what does not can match no name, and was meant otherwise."""
    depth = 0
    for character in _WHOLE.sub("", pattern):
        if character in "[\\":
            return False
        # a brace that closes nothing stands for itself
        depth = max(0, depth + {"{": 1, "}": -1}.get(character, 0))
    return depth == 0


def _is_usable(pattern: str) -> bool:
    try:
        _alternatives(pattern)
    except bracex.ExpansionLimitException:
        return False
    return True


@lru_cache(maxsize=1_000)
def _alternatives(pattern: str) -> list[str]:
    """A pattern without braces for each way to choose between them."""
    # a shell takes braces with one word in them literally, and {1..3} for a range; doublestar does neither
    return bracex.expand(_ONE_ALTERNATIVE.sub(r"\1", pattern), keep_escapes=True, limit=_MAX_ALTERNATIVES)
