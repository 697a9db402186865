"""Audit records as the API shows them, in the forms of both generations."""

from gateway.core.writing import Json, given, time_or_never
from services.audit.queries import AuditRecord
from services.audit.queries.checks import Check


def audit_log_view(record: AuditRecord) -> Json:
    """The older form."""
    return {
        "id": record.sequence,
        "username": record.actor,
        "resource": record.resource,
        "resource_type": record.resource_type,
        "operation": record.operation,
        "op_time": time_or_never(record.occurred_at),
    }


def audit_log_ext_view(record: AuditRecord) -> Json:
    """The newer form: a description, whether it succeeded, and, which is ours, what it was about and from where."""
    return {
        **audit_log_view(record),
        "operation_description": record.description,
        "operation_result": record.succeeded,
        "occurrences": record.occurrences,
    } | given(
        project=record.project,
        repository=record.repository,
        digest=record.digest,
        tag=record.tag,
        client_address=record.address or None,
        client=record.client or None,
        request_id=record.request_id or None,
    )


def check_view(check: Check) -> Json:
    """What a verification of the record found."""
    return {"scope": check.scope, "first_link": check.first_link, "links": check.links} | given(
        asked_time=time_or_never(check.asked_at) if check.asked_at else None,
        verified_time=time_or_never(check.verified_at) if check.verified_at else None,
        broken=check.broken,
    )
