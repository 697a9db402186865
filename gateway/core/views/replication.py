"""Replication policies, and what came of them, as the API shows them."""

from collections.abc import Mapping
from typing import Final

from gateway.core.views.registry import LOCAL, registry_view
from gateway.core.writing import Json, given, time_or_never
from services.replication.domain.execution import Execution, ExecutionState
from services.replication.domain.policy import Filter, FilterKind, Policy
from services.replication.domain.registry import Registry
from services.replication.domain.task import Progress, Task, TaskState
from services.replication.domain.wanted_policy import EXCLUDES, MATCHES
from services.replication.queries.lag import Standing
from shared.jobs import JobId, JobType

_EXECUTION_STATUS: Final[Mapping[ExecutionState, str]] = {
    ExecutionState.PREPARING: "InProgress",
    ExecutionState.RUNNING: "InProgress",
    ExecutionState.SUCCEEDED: "Succeed",
    ExecutionState.FAILED: "Failed",
    ExecutionState.STOPPED: "Stopped",
}
_TASK_STATUS: Final[Mapping[TaskState, str]] = {
    TaskState.PENDING: "Pending",
    TaskState.RUNNING: "InProgress",
    TaskState.SUCCEEDED: "Succeed",
    TaskState.FAILED: "Failed",
    TaskState.STOPPED: "Stopped",
}


def policy_view(policy: Policy, registries: Mapping[int, Registry], standings: Mapping[int, Standing]) -> Json:
    """A policy with both its sides, how far it is behind, and what came of it last."""
    standing = standings.get(policy.id, Standing())
    lag = standing.lag
    settings = {"trigger_settings": {"cron": policy.cron}} if policy.cron else {}
    return {
        "id": policy.id,
        "name": policy.name,
        "description": policy.description,
        "src_registry": _side(policy.source_id, registries),
        "dest_registry": _side(policy.target_id, registries),
        "dest_namespace": policy.namespace,
        "dest_namespace_replace_count": policy.replace_count,
        "filters": [_filter(each) for each in policy.filters],
        "trigger": {"type": policy.trigger.value} | settings,
        "deletion": policy.deletion,
        "replicate_deletion": policy.deletion,
        "override": policy.override,
        "enabled": policy.enabled,
        "speed": policy.speed,
        "copy_by_chunk": policy.copy_by_chunk,
        "single_active_replication": policy.single_active,
        "concurrency": policy.concurrency,
        "copy_labels": policy.copy_labels,
        "copy_retention": policy.copy_retention,
        "waiting": lag.waiting,
        "creation_time": time_or_never(policy.created_at),
        "update_time": time_or_never(policy.updated_at),
    } | given(
        waiting_since=time_or_never(lag.since) if lag.since else None,
        last_execution=_last(standing.last) if standing.last else None,
    )


def execution_view(execution: Execution, progress: Progress) -> Json:
    """An execution, and how far it is."""
    return {
        "id": execution.id,
        "policy_id": execution.policy_id,
        "status": _EXECUTION_STATUS[execution.state],
        "status_text": execution.message,
        "trigger": execution.trigger.value,
        "operator": execution.operator,
        "dry_run": execution.dry_run,
        "total": execution.total,
        "in_progress": execution.in_progress,
        "succeed": execution.succeeded,
        "failed": execution.failed,
        "stopped": execution.stopped,
        "start_time": time_or_never(execution.created_at),
        "end_time": time_or_never(execution.ended_at),
    } | _progress(progress)


def task_view(task: Task) -> Json:
    """A task."""
    return {
        "id": task.id,
        "execution_id": task.execution_id,
        "status": _TASK_STATUS[task.state],
        "job_id": str(JobId(type=JobType.REPLICATION, number=task.id)),
        "operation": task.operation.value,
        "resource_type": task.kind.value,
        "src_resource": _resource(task, task.source),
        "dst_resource": _resource(task, task.target),
        "attempts": task.attempts,
        "start_time": time_or_never(task.started_at),
        "end_time": time_or_never(task.ended_at),
    } | _progress(task.progress) | given(
        digest=task.digest, fault=task.fault.value if task.fault else None, status_text=task.message or None
    )  # fmt: skip


def _last(execution: Execution) -> Json:
    return {
        "id": execution.id,
        "status": _EXECUTION_STATUS[execution.state],
        "dry_run": execution.dry_run,
        "start_time": time_or_never(execution.created_at),
    }


def _side(registry_id: int | None, registries: Mapping[int, Registry]) -> Json:
    if registry_id is None:
        return LOCAL
    registry = registries.get(registry_id)  # none where both were deleted since the policy was read
    return registry_view(registry) if registry else {"id": registry_id}


def _filter(each: Filter) -> Json:
    shown: Json = {"type": each.kind.value}
    if each.kind is FilterKind.LABEL:
        shown["value"] = list(each.values)
    else:
        shown["value"] = each.values[0] if each.values else ""
    if each.decorated:
        shown["decoration"] = EXCLUDES if each.excludes else MATCHES
    return shown


def _resource(task: Task, repository: str) -> str:
    return f"{repository}:[{','.join(task.tags or ([task.digest] if task.digest else []))}]"


def _progress(progress: Progress) -> Json:
    return {
        "blobs_total": progress.blobs_total,
        "blobs_done": progress.blobs_done,
        "bytes_total": progress.bytes_total,
        "bytes_done": progress.bytes_done,
        "bytes_sent": progress.bytes_sent,
    }
