"""Webhook policies, and what came of them, as the API shows them."""

from gateway.core.writing import Json, given, time_or_never
from services.webhook.domain.policy import MASK, EventType, PayloadFormat, Policy, Target, TargetKind
from services.webhook.queries.delivery import Attempt, Delivery
from services.webhook.queries.policy import LastTrigger
from shared.jobs import JobType

_VENDORS = {TargetKind.HTTP: JobType.WEBHOOK, TargetKind.SLACK: JobType.SLACK}

SUPPORTED: Json = {
    "event_type": [each.value for each in EventType],
    "notify_type": [each.value for each in TargetKind],
    "payload_formats": [
        {
            "notify_type": TargetKind.HTTP.value,
            "formats": [PayloadFormat.DEFAULT.value, PayloadFormat.CLOUD_EVENTS.value],
        }
    ],
}
"""What a policy may be about, and whom it may tell in which form."""


def policy_view(policy: Policy) -> Json:
    """A policy; of its secrets it is only told that there are some."""
    return {
        "id": policy.id,
        "name": policy.name,
        "description": policy.description,
        "project_id": policy.project_id,
        "targets": [_target_view(target) for target in policy.targets],
        "event_types": [each.value for each in policy.event_types],
        "creator": policy.creator,
        "creation_time": time_or_never(policy.created_at),
        "update_time": time_or_never(policy.updated_at),
        "enabled": policy.enabled,
    }


def execution_view(delivery: Delivery) -> Json:
    """A delivery as an execution."""
    attempts = delivery.succeeded_attempts + delivery.failed_attempts
    return {
        "id": delivery.id,
        "vendor_type": _VENDORS[delivery.kind],
        "vendor_id": delivery.policy_id,
        "status": delivery.status,
        "status_message": delivery.message,
        "metrics": {
            "task_count": attempts,
            "success_task_count": delivery.succeeded_attempts,
            "error_task_count": delivery.failed_attempts,
        },
        "trigger": delivery.trigger.value,
        "extra_attrs": {"event_type": delivery.event_type, "payload": delivery.body},
        "start_time": time_or_never(delivery.created_at),
        "end_time": time_or_never(delivery.finished_at),
    }


def task_view(attempt: Attempt) -> Json:
    """An attempt as a task."""
    return {
        "id": attempt.id,
        "execution_id": attempt.delivery_id,
        "status": attempt.status,
        "status_message": attempt.message,
        "run_count": attempt.number,
        "creation_time": time_or_never(attempt.started_at),
        "update_time": time_or_never(attempt.finished_at),
        "start_time": time_or_never(attempt.started_at),
        "end_time": time_or_never(attempt.finished_at),
    }


def job_view(delivery: Delivery) -> Json:
    """A delivery in the older form."""
    return {
        "id": delivery.id,
        "policy_id": delivery.policy_id,
        "event_type": delivery.event_type,
        "notify_type": delivery.kind.value,
        "status": delivery.status,
        "job_detail": delivery.body,
        "creation_time": time_or_never(delivery.created_at),
        "update_time": time_or_never(delivery.updated_at),
    }


def last_trigger_view(last: LastTrigger) -> Json:
    """When a policy was last triggered by a type of event."""
    return given(
        policy_name=last.policy_name,
        event_type=last.event_type,
        enabled=last.enabled,
        creation_time=time_or_never(last.created_at),
        last_trigger_time=time_or_never(last.triggered_at) if last.triggered_at else None,
    )


def _target_view(target: Target) -> Json:
    return {
        "type": target.kind.value,
        "address": target.address,
        "skip_cert_verify": target.skip_cert_verify,
    } | given(
        payload_format=target.payload_format.value or None,
        auth_header=MASK if target.auth_header else None,
        secret=MASK if target.signing_secret else None,
    )
