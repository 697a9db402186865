"""Audit records as the API shows them, in the forms of both generations."""

from gateway.core.writing import Json, time_or_never
from services.audit.queries import AuditRecord


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
    """The newer form: with a description, and whether it succeeded."""
    return {
        **audit_log_view(record),
        "operation_description": record.description,
        "operation_result": record.succeeded,
    }
