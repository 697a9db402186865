"""Retention that goes along with artifacts: what a project keeps, what another registry has, and whose that is.

It deletes images, so that nothing is touched there which may be somebody else's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

_ACTION: Final = "retain"
_LIMIT: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """A project's rules, in the form of Harbor's API, and when they are carried out. Without rules all is kept."""

    rules: tuple[Mapping[str, Any], ...] = ()
    cron: str = ""
    """Empty: by hand alone."""

    def stored(self) -> dict[str, Any]:
        """As it is kept in a table; `stored_retention` reads it."""
        return {"rules": list(self.rules), "cron": self.cron}


NOTHING: Final = Retention()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """What a project of another registry has."""

    project_id: int
    number: int | None = None
    """None where it has no retention policy."""
    retention: Retention = NOTHING
    references: Mapping[str, Any] = field(default_factory=dict)
    """What its schedule is tied to there; it has to be given back with a change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What we know to have put there."""

    project_id: int | None = None
    number: int | None = None
    carried: Retention | None = None
    intended: Retention | None = None
    """What we were about to put there: it may be there, and may not."""


class Whose(StrEnum):
    """Whose retention a project's is."""

    NOBODYS = "nobodys"
    """There is none, and never was one of ours."""
    OURS = "ours"
    """It is as we left it, or as we were about to make it when we were broken off."""
    ANOTHERS = "anothers"
    """Somebody else has made it."""
    CHANGED = "changed"
    """We made it, and somebody else has changed it."""
    REMOVED = "removed"
    """We made it, and somebody else has deleted it."""


def whose(mark: Mark, there: Placed) -> Whose:
    """Whose is what is there."""
    if mark.project_id != there.project_id:
        mark = Mark()
    if there.number is None:
        return Whose.NOBODYS if mark.number is None else Whose.REMOVED
    if mark.number is None:
        # we were broken off between making it and learning its number
        return Whose.OURS if mark.intended == there.retention else Whose.ANOTHERS
    if mark.number != there.number:
        return Whose.ANOTHERS
    return Whose.OURS if there.retention in (mark.carried, mark.intended) else Whose.CHANGED


def stored_retention(content: Mapping[str, Any]) -> Retention:
    """What `Retention.stored` wrote, or our own catalogue has."""
    return Retention(rules=tuple(_rule(each) for each in content["rules"]), cron=content["cron"])


def told_retention(content: Mapping[str, Any]) -> Retention:
    """A retention policy as Harbor's API tells it, without what it numbers and adds by itself."""
    trigger = content.get("trigger")
    settings = trigger.get("settings") if isinstance(trigger, dict) else None
    cron = settings.get("cron") if isinstance(settings, dict) else None
    rules = tuple(_rule(each) for each in content.get("rules") or () if isinstance(each, dict))
    return Retention(rules=rules, cron=cron if isinstance(cron, str) else "")


def _rule(told: Mapping[str, Any]) -> dict[str, Any]:
    template, params, scopes = told.get("template"), told.get("params"), told.get("scope_selectors")
    number = params.get(template) if isinstance(params, dict) else None
    return {
        "priority": told.get("priority") or 0,
        "disabled": bool(told.get("disabled")),
        "action": told.get("action") or _ACTION,
        "template": template,
        "params": {} if number is None else {template: number},
        "tag_selectors": _selectors(told.get("tag_selectors")),
        "scope_selectors": {
            scope: _selectors(each) for scope, each in (scopes if isinstance(scopes, dict) else {}).items()
        },
    }


def _selectors(told: object) -> list[dict[str, Any]]:
    return [
        {"kind": each.get("kind"), "decoration": each.get("decoration"), "pattern": each.get("pattern"),
         "extras": _extras(each.get("extras"))}
        for each in (told if isinstance(told, list) else [])[:_LIMIT]
        if isinstance(each, dict)
    ]  # fmt: skip


def _extras(told: object) -> str:
    """JSON in a text: alike however it is spaced."""
    if not isinstance(told, str) or not told:
        return ""
    try:
        return json.dumps(json.loads(told), sort_keys=True)
    except (ValueError, RecursionError):
        return told
