"""Reading the record: lists of it, and the proof that it is whole."""

from services.audit.queries.listing import AuditFilter, AuditPage, AuditRecord, Cursor, ProjectScope, list_records

__all__ = ["AuditFilter", "AuditPage", "AuditRecord", "Cursor", "ProjectScope", "list_records"]
