"""What the registry holds, as it is known, and what is about it."""

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Integer, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.api.tables.base import metadata, moment

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("artifact_count", BigInteger, nullable=False),
    Column("pull_count", BigInteger, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
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
    Column("pushed_at", moment, nullable=False),
    Column("pulled_at", moment),
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

tags = Table(
    "tags",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("repository_id", ForeignKey("core.repositories.id", ondelete="CASCADE"), nullable=False),
    Column("artifact_id", ForeignKey("core.artifacts.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("pushed_at", moment, nullable=False),
    Column("pulled_at", moment),
)

labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("color", Text, nullable=False),
    Column("project_id", ForeignKey("core.projects.id")),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)

artifact_labels = Table(
    "artifact_labels",
    metadata,
    Column("artifact_id", ForeignKey("core.artifacts.id", ondelete="CASCADE"), primary_key=True),
    Column("label_id", ForeignKey("core.labels.id", ondelete="CASCADE"), primary_key=True),
    Column("created_at", moment, nullable=False),
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
    Column("reserved_at", moment, nullable=False),
)

quota_departures = Table(
    "quota_departures",
    metadata,
    Column("expectation_id", Uuid, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("artifact_id", ForeignKey("core.artifacts.id", ondelete="CASCADE")),
    Column("departed_at", moment, nullable=False),
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
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)

seen = Table(
    "seen",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("seen_at", moment, nullable=False),
)

reconciliation = Table(
    "reconciliation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository", Text, nullable=False),
    Column("started_at", moment),
    Column("finished_at", moment),
)
