"""What answers about webhooks look like; see `shapes`."""

from typing import Any, NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from gateway.core.openapi.shapes import Time


class PayloadFormats(TypedDict):
    """The forms that one kind of target is told in."""

    notify_type: str
    formats: list[str]


class SupportedEvents(TypedDict):
    """What a policy may be about, and whom it may tell in which form."""

    event_type: list[str]
    notify_type: list[str]
    payload_formats: list[PayloadFormats]


class TargetEntry(TypedDict):
    """Whom a policy tells; of secrets it is only told that there are some."""

    type: str
    address: str
    skip_cert_verify: bool
    payload_format: NotRequired[str]
    auth_header: NotRequired[str]
    secret: NotRequired[str]


class PolicyEntry(TypedDict):
    """A webhook policy."""

    id: int
    name: str
    description: str
    project_id: int
    targets: list[TargetEntry]
    event_types: list[str]
    creator: str
    creation_time: Time
    update_time: Time
    enabled: bool


class Metrics(TypedDict):
    """Attempts, counted."""

    task_count: int
    success_task_count: int
    error_task_count: int


class ExecutionEntry(TypedDict):
    """A delivery."""

    id: int
    vendor_type: str
    vendor_id: int
    status: str
    status_message: str
    metrics: Metrics
    trigger: str
    extra_attrs: dict[str, Any]
    start_time: Time
    end_time: Time


class TaskEntry(TypedDict):
    """An attempt at a delivery."""

    id: int
    execution_id: int
    status: str
    status_message: str
    run_count: int
    creation_time: Time
    update_time: Time
    start_time: Time
    end_time: Time


class JobEntry(TypedDict):
    """A delivery in the older form."""

    id: int
    policy_id: int
    event_type: str
    notify_type: str
    status: str
    job_detail: str
    creation_time: Time
    update_time: Time


class LastTriggerEntry(TypedDict):
    """When a policy was last triggered by a type of event."""

    policy_name: str
    event_type: str
    enabled: bool
    creation_time: Time
    last_trigger_time: NotRequired[Time]


class Trials(TypedDict):
    """The deliveries that a trial has made."""

    execution_ids: list[int]


class Redelivered(TypedDict):
    """How many deliveries go out again."""

    redelivered: int
