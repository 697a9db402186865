"""Bodies about retention policies and their executions."""

from typing import Any

from pydantic import Field

from gateway.core.bodies.immutable import SelectorBody
from gateway.core.reading import Body
from services.api.domain.retention import (
    ACTION,
    ALGORITHM,
    SCOPE_LEVEL,
    TRIGGER_KIND,
    PolicyDraft,
    Rule,
    Template,
    parse_number,
)
from shared.errors import BadRequest


class RuleBody(Body):
    """A rule as it shall be; its number is its place in the list."""

    priority: int = Field(default=0, ge=-(2**31), lt=2**31)
    disabled: bool = False
    action: str = ACTION
    template: str = ""
    params: dict[str, Any] = Field(default={})
    tag_selectors: list[SelectorBody] = Field(default=[], max_length=100)
    scope_selectors: dict[str, list[SelectorBody]] = Field(default={})

    def rule(self) -> Rule:
        """The rule asked for. Raises BadRequest where it is of another kind, or selects by another scope."""
        if self.action != ACTION:
            raise BadRequest(f"the action of a rule can only be {ACTION}")
        if self.template not in set(Template):
            raise BadRequest(f"the template of a rule must be one of {', '.join(Template)}")
        if set(self.scope_selectors) != {"repository"}:
            raise BadRequest("scope_selectors must hold repository and nothing else")
        template = Template(self.template)
        return Rule(
            template=template,
            number=parse_number(template, self.params),
            repository_selectors=tuple(each.selector() for each in self.scope_selectors["repository"]),
            tag_selectors=tuple(each.selector() for each in self.tag_selectors),
            disabled=self.disabled,
            priority=self.priority,
        )


class TriggerBody(Body):
    """When a policy is carried out by itself: never without `cron`."""

    kind: str = TRIGGER_KIND
    settings: dict[str, Any] = Field(default={})


class ScopeBody(Body):
    """Whose policy it is."""

    level: str = ""
    ref: int = 0


class RetentionBody(Body):
    """A policy as it shall be."""

    algorithm: str = ALGORITHM
    rules: list[RuleBody] = Field(default=[], max_length=100)
    trigger: TriggerBody = TriggerBody()
    scope: ScopeBody = ScopeBody()

    def project_id(self) -> int:
        """The project that is meant. Raises BadRequest where the scope is no project."""
        if self.scope.level != SCOPE_LEVEL:
            raise BadRequest(f"the level of scope can only be {SCOPE_LEVEL}")
        return self.scope.ref

    def draft(self) -> PolicyDraft:
        """The policy asked for. Raises BadRequest."""
        if self.algorithm != ALGORITHM:
            raise BadRequest(f"algorithm can only be {ALGORITHM!r}")
        if self.trigger.kind != TRIGGER_KIND:
            raise BadRequest(f"the kind of trigger can only be {TRIGGER_KIND}")
        cron = self.trigger.settings.get("cron", "")
        if not isinstance(cron, str):
            raise BadRequest("trigger.settings.cron must be a text")
        return PolicyDraft(rules=tuple(rule.rule() for rule in self.rules), cron=cron.strip())


class ExecutionBody(Body):
    """Whether an execution only lists what would go."""

    dry_run: bool = False


class ActionBody(Body):
    """What is to be done with an execution."""

    action: str = ""

    def check(self) -> None:
        """Raises BadRequest where that is not to stop it."""
        if self.action != "stop":
            raise BadRequest("the action can only be 'stop'")
