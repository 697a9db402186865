"""What answers about retention, purges and schedules look like; see `shapes`."""

from typing import Any, NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from gateway.core.openapi.shapes import Time


class RuleParameter(TypedDict):
    """What a kind of rule has to be told."""

    type: str
    unit: str
    required: bool


class RuleTemplate(TypedDict):
    """A kind of rule."""

    rule_template: str
    display_text: str
    action: str
    params: list[RuleParameter]


class SelectorChoice(TypedDict):
    """What a selector can be made of."""

    display_text: str
    kind: str
    decorations: list[str]


class RetentionChoice(TypedDict):
    """What a rule can be made of."""

    templates: list[RuleTemplate]
    scope_selectors: list[SelectorChoice]
    tag_selectors: list[SelectorChoice]


class RetentionTrigger(TypedDict):
    """When a policy runs by itself."""

    kind: str
    settings: dict[str, str]
    references: dict[str, int]


class RetentionScope(TypedDict):
    """The project that a policy is of."""

    level: str
    ref: int


class RetentionEntry(TypedDict):
    """A retention policy; its rules are numbered by their places."""

    id: int
    algorithm: str
    rules: list[dict[str, Any]]
    trigger: RetentionTrigger
    scope: RetentionScope


class RetentionExecution(TypedDict):
    """One run of a policy."""

    id: int
    policy_id: int
    start_time: Time
    end_time: Time
    status: str
    trigger: str
    dry_run: bool


class RetentionTask(TypedDict):
    """What a run did in one repository."""

    id: int
    execution_id: int
    repository: str
    job_id: str
    status: str
    status_code: int
    status_revision: int
    start_time: Time
    end_time: Time
    total: int
    retained: int


class WhenEntry(TypedDict):
    """When something runs."""

    type: str
    cron: NotRequired[str]
    next_scheduled_time: NotRequired[Time]


class PurgeEntry(TypedDict):
    """A purge of the audit record, or the schedule of purges."""

    id: int
    job_name: str
    job_kind: str
    job_parameters: str
    schedule: WhenEntry
    job_status: str
    deleted: bool
    creation_time: Time
    update_time: Time


class CollectionEntry(PurgeEntry):
    """A garbage collection, or the schedule of them."""


class NoEntry(TypedDict):
    """Nothing: there is no schedule."""


class ScheduleEntry(TypedDict):
    """Something that runs again and again."""

    id: int
    vendor_type: str
    vendor_id: int
    cron: str
    update_time: Time


class PausedState(TypedDict):
    """Whether schedules of a kind are paused."""

    paused: bool
