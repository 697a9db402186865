"""Rows of the tables as records."""

from typing import Any

from sqlalchemy import Row

from services.replication.domain.execution import Execution, ExecutionState, Scope
from services.replication.domain.policy import Filter, FilterKind, Policy, ResourceKind, Trigger
from services.replication.domain.registry import Access, Health, Registry, RegistryKind
from services.replication.domain.task import Fault, Operation, Progress, Task, TaskState
from shared.secrets import Sealer


def read_registry(row: Row[Any]) -> Registry:
    """A row of `registries`."""
    return Registry(
        id=row.id,
        name=row.name,
        description=row.description,
        kind=RegistryKind(row.kind),
        url=row.url,
        access_key=row.access_key,
        access_secret=row.access_secret,
        insecure=row.insecure,
        ca_certificate=row.ca_certificate,
        proxy=row.proxy,
        concurrency=row.concurrency,
        status=Health(row.status),
        reason=row.reason,
        checked_at=row.checked_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def access_of(registry: Registry, sealer: Sealer) -> Access:
    """What it takes to speak with a registry, in the clear. Raises ConfigurationError where no key fits."""
    return Access(
        kind=registry.kind,
        url=registry.url,
        access_key=registry.access_key,
        access_secret=sealer.open(registry.access_secret) if registry.access_secret else None,
        insecure=registry.insecure,
        ca_certificate=registry.ca_certificate,
        proxy=sealer.open(registry.proxy) if registry.proxy else None,
        concurrency=registry.concurrency,
    )


def read_policy(row: Row[Any]) -> Policy:
    """A row of `policies`."""
    return Policy(
        id=row.id,
        name=row.name,
        description=row.description,
        source_id=row.source_id,
        target_id=row.target_id,
        namespace=row.namespace,
        replace_count=row.replace_count,
        filters=tuple(
            Filter(
                kind=FilterKind(each["kind"]),
                values=tuple(each["values"]),
                excludes=each["excludes"],
                decorated=each.get("decorated", False),
            )
            for each in row.filters
        ),
        trigger=Trigger(row.trigger),
        cron=row.cron,
        deletion=row.deletion,
        override=row.override,
        enabled=row.enabled,
        speed=row.speed,
        copy_by_chunk=row.copy_by_chunk,
        copy_labels=row.copy_labels,
        copy_retention=row.copy_retention,
        single_active=row.single_active,
        concurrency=row.concurrency,
        creator=row.creator,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def read_execution(row: Row[Any]) -> Execution:
    """A row of `executions`."""
    return Execution(
        id=row.id,
        policy_id=row.policy_id,
        trigger=Trigger(row.trigger),
        scope=Scope(row.scope),
        dry_run=row.dry_run,
        operator=row.operator,
        state=ExecutionState(row.state),
        message=row.message,
        stopping=row.stopping,
        total=row.total,
        in_progress=row.in_progress,
        succeeded=row.succeeded,
        failed=row.failed,
        stopped=row.stopped,
        created_at=row.created_at,
        ended_at=row.ended_at,
        traceparent=row.traceparent,
    )


def read_task(row: Row[Any]) -> Task:
    """A row of `tasks`."""
    return Task(
        id=row.id,
        execution_id=row.execution_id,
        policy_id=row.policy_id,
        operation=Operation(row.operation),
        kind=ResourceKind(row.kind),
        source=row.source,
        target=row.target,
        digest=row.digest,
        tags=tuple(row.tags),
        state=TaskState(row.state),
        attempts=row.attempts,
        fault=Fault(row.fault) if row.fault else None,
        message=row.message,
        progress=Progress(
            blobs_total=row.blobs_total,
            blobs_done=row.blobs_done,
            bytes_total=row.bytes_total,
            bytes_done=row.bytes_done,
            bytes_sent=row.bytes_sent,
        ),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
