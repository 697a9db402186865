"""What rules say of repositories and tags: in plain words, and as the rows of a form."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from gateway.portal.forms import Form

Json = dict[str, Any]
REPOSITORIES: Final = {"repoMatches": "matching", "repoExcludes": "not matching"}
TAGS: Final = {"matches": "matching", "excludes": "not matching"}
_EXCLUDES: Final = frozenset({"repoExcludes", "excludes"})
_WORDS: Final = REPOSITORIES | TAGS
_KIND: Final = "doublestar"
_PRINT_LENGTH: Final = 16


def patterns_said(selectors: Iterable[Mapping[str, Any]]) -> str:
    """`matching app/** and not matching app/test`."""
    return " and ".join(f"{_WORDS.get(each['decoration'], '')} {each['pattern']}" for each in selectors)


def takes_untagged(selectors: Iterable[Mapping[str, Any]]) -> bool:
    """Whether artifacts without a tag are among those that a retention rule is about."""
    return all(_told(each) is not (each["decoration"] in _EXCLUDES) for each in selectors)


def rows_of(rule: Mapping[str, Any]) -> dict[str, object]:
    """The fields of a form that say what a rule selects."""
    repositories, tags = rule["scope_selectors"].get("repository", []), rule["tag_selectors"]
    return {
        "repo_decoration": [each["decoration"] for each in repositories],
        "repo_pattern": [each["pattern"] for each in repositories],
        "tag_decoration": [each["decoration"] for each in tags],
        "tag_pattern": [each["pattern"] for each in tags],
        "untagged": takes_untagged(tags),
    }


def shown_rows(form: Form) -> dict[str, Any]:
    """The same for the template: pairs of what is done with a pattern, and the pattern; one row at least."""
    return {
        "repositories": _pairs(form, "repo") or [("repoMatches", "**")],
        "tags": _pairs(form, "tag") or [("matches", "**")],
        "repository_words": REPOSITORIES,
        "tag_words": TAGS,
    }


def selected(form: Form, *, untagged: bool | None = None) -> Json:
    """What a form selects, as rules have it. A row that was emptied is gone, but not the last one."""
    tags = _selectors(form, "tag")
    if untagged is not None:
        for each in tags:
            each["extras"] = json.dumps({"untagged": untagged is not (each["decoration"] in _EXCLUDES)})
    return {"scope_selectors": {"repository": _selectors(form, "repo")}, "tag_selectors": tags}


def print_of(rule: Mapping[str, Any]) -> str:
    """A rule's fingerprint: who changes it says by it which one he saw."""
    return sha256(json.dumps(rule, sort_keys=True).encode()).hexdigest()[:_PRINT_LENGTH]


def _told(selector: Mapping[str, Any]) -> bool:
    default = selector["decoration"] not in _EXCLUDES
    try:
        extras = json.loads(selector.get("extras") or "null")
    except ValueError:
        return default
    return bool(extras.get("untagged", False)) if isinstance(extras, dict) else default


def _pairs(form: Form, what: str) -> list[tuple[str, str]]:
    return list(zip(form.all(f"{what}_decoration"), form.all(f"{what}_pattern"), strict=False))


def _selectors(form: Form, what: str) -> list[Json]:
    rows = [(decoration, pattern.strip()) for decoration, pattern in _pairs(form, what)]
    kept = [row for row in rows if row[1]] or rows[:1]
    return [{"kind": _KIND, "decoration": decoration, "pattern": pattern} for decoration, pattern in kept]
