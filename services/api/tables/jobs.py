"""What is done by a schedule or because somebody asked."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.api.tables.base import metadata, moment
from shared.pools import pools_table

schedules = Table(
    "schedules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("cron_type", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("next_at", moment, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)

audit_purges = Table(
    "audit_purges",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trigger", Text, nullable=False),
    Column("hours", Integer, nullable=False),
    Column("kinds", ARRAY(Text), nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
    Column("finished_at", moment),
    Column("pool_id", Uuid),
)

collections = Table(
    "collections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trigger", Text, nullable=False),
    Column("delete_untagged", Boolean, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("stopping", Boolean, nullable=False),
    Column("log", Text, nullable=False),
    Column("progress", Text, nullable=False),
    Column("artifacts", Integer, nullable=False),
    Column("blobs", Integer, nullable=False),
    Column("freed", BigInteger, nullable=False),
    Column("pool_id", Uuid),
    Column("lease_until", moment),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
    Column("finished_at", moment),
)

retention_policies = Table(
    "retention_policies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)

retention_executions = Table(
    "retention_executions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("policy_id", ForeignKey("core.retention_policies.id", ondelete="CASCADE"), nullable=False),
    Column("trigger", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("stopping", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("started_at", moment, nullable=False),
    Column("finished_at", moment),
)

retention_tasks = Table(
    "retention_tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("execution_id", ForeignKey("core.retention_executions.id", ondelete="CASCADE"), nullable=False),
    Column("repository", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("holder", Uuid),
    Column("lease_until", moment),
    Column("attempts", Integer, nullable=False),
    Column("planned", Boolean, nullable=False),
    Column("error", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("retained", Integer, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("started_at", moment),
    Column("finished_at", moment),
)

retention_verdicts = Table(
    "retention_verdicts",
    metadata,
    Column("task_id", ForeignKey("core.retention_tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("type", Text, nullable=False),
    Column("pushed_at", moment, nullable=False),
    Column("pulled_at", moment),
    Column("mark", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("settled", Boolean, nullable=False),
)

pools = pools_table(metadata)
