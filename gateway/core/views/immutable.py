"""Rules that make tags immutable, as the API shows them."""

from dataclasses import asdict

from gateway.core.writing import Json
from services.api.domain.immutability import ACTION, TEMPLATE, Held, ImmutableRule


def immutable_rule_view(rule: ImmutableRule) -> Json:
    """A rule; all rules are of one priority."""
    return {
        "id": rule.id,
        "priority": 0,
        "disabled": rule.disabled,
        "action": ACTION,
        "template": TEMPLATE,
        "params": {},
        "tag_selectors": [asdict(selector) for selector in rule.tag_selectors],
        "scope_selectors": {"repository": [asdict(selector) for selector in rule.repository_selectors]},
    }


def held_view(held: Held) -> Json:
    """What a rule would hold: how many tags, and the first of them."""
    return {
        "total": held.total,
        "tags": [{"repository": repository.text, "tag": tag} for repository, tag in held.first],
    }
