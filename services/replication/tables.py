"""The tables of schema replication, as this service's queries speak of them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import metadata_for
from shared.pools import pools_table

metadata: Final = metadata_for("replication")

_moment: Final = DateTime(timezone=True)
_no: Final = text("false")
_now: Final = text("now()")

registries: Final = Table(
    "registries",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("access_key", Text, nullable=False, server_default=""),
    Column("access_secret", Text),
    Column("insecure", Boolean, nullable=False, server_default=_no),
    Column("ca_certificate", Text, nullable=False, server_default=""),
    Column("proxy", Text),
    Column("concurrency", SmallInteger, nullable=False, server_default="16"),
    Column("status", Text, nullable=False, server_default="unknown"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("checked_at", _moment),
    Column("due_at", _moment, nullable=False, server_default=_now),
    Column("created_at", _moment, nullable=False, server_default=_now),
    Column("updated_at", _moment, nullable=False, server_default=_now),
)

policies: Final = Table(
    "policies",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("source_id", ForeignKey(registries.c.id)),
    Column("target_id", ForeignKey(registries.c.id)),
    Column("namespace", Text, nullable=False, server_default=""),
    Column("replace_count", SmallInteger, nullable=False, server_default="-1"),
    Column("filters", JSONB, nullable=False, server_default="[]"),
    Column("trigger", Text, nullable=False),
    Column("cron", Text, nullable=False, server_default=""),
    Column("deletion", Boolean, nullable=False, server_default=_no),
    Column("override", Boolean, nullable=False, server_default=_no),
    Column("enabled", Boolean, nullable=False, server_default=_no),
    Column("speed", Integer, nullable=False, server_default="0"),
    Column("copy_by_chunk", Boolean, nullable=False, server_default=_no),
    Column("copy_labels", Boolean, nullable=False, server_default=_no),
    Column("copy_retention", Boolean, nullable=False, server_default=_no),
    Column("single_active", Boolean, nullable=False, server_default=_no),
    Column("concurrency", SmallInteger, nullable=False, server_default="16"),
    Column("creator", Text, nullable=False, server_default=""),
    Column("next_at", _moment),
    Column("behind_since", _moment),
    Column("heals", SmallInteger, nullable=False, server_default="0"),
    Column("heal_at", _moment),
    Column("served_at", _moment),
    Column("created_at", _moment, nullable=False, server_default=_now),
    Column("updated_at", _moment, nullable=False, server_default=_now),
)

executions: Final = Table(
    "executions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("policy_id", ForeignKey(policies.c.id, ondelete="CASCADE"), nullable=False),
    Column("trigger", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False, server_default=_no),
    Column("operator", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False, server_default=""),
    Column("worker", Uuid),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("due_at", _moment, nullable=False, server_default=_now),
    Column("stopping", Boolean, nullable=False, server_default=_no),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("in_progress", Integer, nullable=False, server_default="0"),
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("stopped", Integer, nullable=False, server_default="0"),
    Column("created_at", _moment, nullable=False, server_default=_now),
    Column("ended_at", _moment),
    Column("traceparent", Text, nullable=False, server_default=""),
)

tasks: Final = Table(
    "tasks",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("execution_id", ForeignKey(executions.c.id, ondelete="CASCADE"), nullable=False),
    Column("policy_id", Integer, nullable=False),
    Column("registry_id", Integer, nullable=False),
    Column("operation", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("digest", Text),
    Column("tags", ARRAY(Text), nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("due_at", _moment, nullable=False),
    Column("worker", Uuid),
    Column("fault", Text, nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("blobs_total", Integer, nullable=False, server_default="0"),
    Column("blobs_done", Integer, nullable=False, server_default="0"),
    Column("bytes_total", BigInteger, nullable=False, server_default="0"),
    Column("bytes_done", BigInteger, nullable=False, server_default="0"),
    Column("bytes_sent", BigInteger, nullable=False, server_default="0"),
    Column("created_at", _moment, nullable=False),
    Column("started_at", _moment),
    Column("ended_at", _moment),
    Column("traceparent", Text, nullable=False, server_default=""),
)

task_lines: Final = Table(
    "task_lines",
    metadata,
    Column("task_id", ForeignKey(tasks.c.id, ondelete="CASCADE"), primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _moment, nullable=False),
    Column("text", Text, nullable=False),
)

changes: Final = Table(
    "changes",
    metadata,
    Column("policy_id", ForeignKey(policies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("due_at", _moment, nullable=False),
    Column("traceparent", Text, nullable=False, server_default=""),
)

copies: Final = Table(
    "copies",
    metadata,
    Column("policy_id", ForeignKey(policies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("copied_at", _moment, nullable=False),
    Column("intended", Text),
)

retentions: Final = Table(
    "retentions",
    metadata,
    Column("registry_id", ForeignKey(registries.c.id, ondelete="CASCADE"), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("project_id", BigInteger),
    Column("number", BigInteger),
    Column("carried", JSONB),
    Column("intended", JSONB),
    Column("stopped", Boolean, nullable=False, server_default=_no),
    Column("execution_id", BigInteger),
    Column("task_id", BigInteger),
    Column("worker", Uuid),
)

tallies: Final = Table(
    "tallies",
    metadata,
    Column("policy_id", ForeignKey(policies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("figure", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

pools: Final = pools_table(metadata)
