"""Bodies about the rules that make tags immutable."""

from pydantic import Field

from gateway.core.reading import Body
from services.api.domain.immutability import ACTION, TEMPLATE, ImmutableRule, RuleDraft
from shared.errors import BadRequest
from shared.selector import KIND, Selector


class SelectorBody(Body):
    """A pattern that takes in, or leaves out."""

    kind: str = KIND
    decoration: str = ""
    pattern: str = ""
    extras: str = Field(default="", max_length=255)

    def selector(self) -> Selector:
        """The selector meant; whether it can be used is judged later."""
        return Selector(kind=self.kind, decoration=self.decoration, pattern=self.pattern, extras=self.extras)


class ImmutableRuleBody(Body):
    """A rule as it shall be."""

    disabled: bool = False
    action: str = ACTION
    template: str = TEMPLATE
    tag_selectors: list[SelectorBody] = Field(default=[], max_length=100)
    scope_selectors: dict[str, list[SelectorBody]] = Field(default={})

    def draft(self) -> RuleDraft:
        """The rule asked for. Raises BadRequest where it is of another kind, or selects by another scope."""
        self._check_kind()
        if set(self.scope_selectors) != {"repository"}:
            raise BadRequest("scope_selectors must hold repository and nothing else")
        return RuleDraft(
            disabled=self.disabled,
            repository_selectors=tuple(each.selector() for each in self.scope_selectors["repository"]),
            tag_selectors=tuple(each.selector() for each in self.tag_selectors),
        )

    def change_of(self, rule: ImmutableRule) -> RuleDraft:
        """What shall take a rule's place: `disabled` alone switches it, and it selects what it did. Raises BadRequest.

        Clients switch rules like this, for Harbor heeds nothing else of a body that does.
        """
        given = self.model_fields_set
        if "disabled" not in given or given & {"tag_selectors", "scope_selectors"}:
            return self.draft()
        self._check_kind()
        return RuleDraft(
            disabled=self.disabled,
            repository_selectors=rule.repository_selectors,
            tag_selectors=rule.tag_selectors,
        )

    def _check_kind(self) -> None:
        if self.action != ACTION or self.template != TEMPLATE:
            raise BadRequest(f"action can only be {ACTION} and template {TEMPLATE}")
