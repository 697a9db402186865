"""The tables of schema core, as `shared/migrations` makes them; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    column,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import metadata_for
from shared.pools import pools_table

metadata = metadata_for("core")

_moment = DateTime(timezone=True)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("username", Text, nullable=False),
    Column("email", Text),
    Column("realname", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("password_hash", Text),
    Column("ldap_dn", Text),
    Column("sysadmin", Boolean, nullable=False),
    Column("directory_admin", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
    Column("deleted_at", _moment),
)

projects = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("owner_id", ForeignKey("core.users.id"), nullable=False),
    Column("public", Boolean, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("storage_limit", BigInteger, nullable=False),
    Column("storage_used", BigInteger, nullable=False),
    Column("repository_count", Integer, nullable=False),
    Column("artifact_count", BigInteger, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
    Column("deleted_at", _moment),
)

members = Table(
    "members",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("user_id", ForeignKey("core.users.id")),
    Column("group_id", ForeignKey("core.user_groups.id")),
    Column("role_id", SmallInteger, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

user_groups = Table(
    "user_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("ldap_dn", Text, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

user_group_members = Table(
    "user_group_members",
    metadata,
    Column("user_id", ForeignKey("core.users.id"), primary_key=True),
    Column("group_id", ForeignKey("core.user_groups.id", ondelete="CASCADE"), primary_key=True),
)

memberships = table("memberships", column("project_id"), column("user_id"), column("role_id"), schema="directory")
"""The view of who has which role by which way: his own membership, and each of his groups'."""

robots = Table(
    "robots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("project_id", ForeignKey("core.projects.id")),
    Column("description", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("permissions", JSONB, nullable=False),
    Column("duration_days", Integer, nullable=False),
    Column("expires_at", _moment),
    Column("disabled", Boolean, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("creator_kind", Text),
    Column("creator_id", Integer),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("artifact_count", BigInteger, nullable=False),
    Column("pull_count", BigInteger, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("repository_id", ForeignKey("core.repositories.id", ondelete="CASCADE"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("manifest_media_type", Text, nullable=False),
    Column("artifact_type", Text, nullable=False),
    Column("subject", Text),
    Column("size", BigInteger, nullable=False),
    Column("annotations", JSONB, nullable=False),
    Column("extra_attrs", JSONB, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("pushed_at", _moment, nullable=False),
    Column("pulled_at", _moment),
    Column("pull_count", BigInteger, nullable=False),
)

artifact_references = Table(
    "artifact_references",
    metadata,
    Column("parent_id", ForeignKey("core.artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("child_digest", Text, nullable=False),
    Column("child_id", ForeignKey("core.artifacts.id", ondelete="SET NULL")),
    Column("platform", JSONB, nullable=False),
    Column("annotations", JSONB, nullable=False),
)

artifact_blobs = Table(
    "artifact_blobs",
    metadata,
    Column("artifact_id", ForeignKey("core.artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
)

project_blobs = Table(
    "project_blobs",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("uses", Integer, nullable=False),
)

quota_reservations = Table(
    "quota_reservations",
    metadata,
    Column("expectation_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("digests", ARRAY(Text), nullable=False),
    Column("sizes", ARRAY(BigInteger), nullable=False),
    Column("reserved_at", _moment, nullable=False),
)

storage_days = Table(
    "storage_days",
    metadata,
    Column("project_id", ForeignKey("core.projects.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

immutable_rules = Table(
    "immutable_rules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("repository_selectors", JSONB, nullable=False),
    Column("tag_selectors", JSONB, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("cron_type", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("next_at", _moment, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
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
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
    Column("finished_at", _moment),
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
    Column("lease_until", _moment),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
    Column("finished_at", _moment),
)

retention_policies = Table(
    "retention_policies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("rules", JSONB, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
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
    Column("started_at", _moment, nullable=False),
    Column("finished_at", _moment),
)

retention_tasks = Table(
    "retention_tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("execution_id", ForeignKey("core.retention_executions.id", ondelete="CASCADE"), nullable=False),
    Column("repository", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("holder", Uuid),
    Column("lease_until", _moment),
    Column("attempts", Integer, nullable=False),
    Column("planned", Boolean, nullable=False),
    Column("error", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("retained", Integer, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("started_at", _moment),
    Column("finished_at", _moment),
)

retention_verdicts = Table(
    "retention_verdicts",
    metadata,
    Column("task_id", ForeignKey("core.retention_tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("tags", ARRAY(Text), nullable=False),
    Column("type", Text, nullable=False),
    Column("pushed_at", _moment, nullable=False),
    Column("pulled_at", _moment),
    Column("mark", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("settled", Boolean, nullable=False),
)

tags = Table(
    "tags",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("repository_id", ForeignKey("core.repositories.id", ondelete="CASCADE"), nullable=False),
    Column("artifact_id", ForeignKey("core.artifacts.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("pushed_at", _moment, nullable=False),
    Column("pulled_at", _moment),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("color", Text, nullable=False),
    Column("project_id", ForeignKey("core.projects.id")),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

artifact_labels = Table(
    "artifact_labels",
    metadata,
    Column("artifact_id", ForeignKey("core.artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", ForeignKey("core.labels.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", _moment, nullable=False),
)

seen = Table(
    "seen",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("seen_at", _moment, nullable=False),
)

configuration = Table(
    "configuration",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

cve_allowlist = Table(
    "cve_allowlist",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cves", JSONB, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

project_allowlists = Table(
    "project_allowlists",
    metadata,
    Column("project_id", ForeignKey("core.projects.id"), primary_key=True),
    Column("cves", JSONB, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", _moment, nullable=False),
    Column("updated_at", _moment, nullable=False),
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository", Text, nullable=False),
    Column("started_at", _moment),
    Column("finished_at", _moment),
)

pools = pools_table(metadata)
