"""What an administrator has set."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from services.api.tables.base import metadata, moment

configuration = Table(
    "configuration",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    Column("updated_at", moment, nullable=False),
)

cve_allowlist = Table(
    "cve_allowlist",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cves", JSONB, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)

project_allowlists = Table(
    "project_allowlists",
    metadata,
    Column("project_id", ForeignKey("core.projects.id"), primary_key=True),
    Column("cves", JSONB, nullable=False),
    Column("expires_at", BigInteger),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)
