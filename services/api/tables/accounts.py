"""Accounts, projects and who is what in them."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, SmallInteger, Table, Text, column, table
from sqlalchemy.dialects.postgresql import JSONB

from services.api.tables.base import metadata, moment

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
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
    Column("deleted_at", moment),
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
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
    Column("deleted_at", moment),
)

members = Table(
    "members",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("core.projects.id"), nullable=False),
    Column("user_id", ForeignKey("core.users.id")),
    Column("group_id", ForeignKey("core.user_groups.id")),
    Column("role_id", SmallInteger, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)

user_groups = Table(
    "user_groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", SmallInteger, nullable=False),
    Column("ldap_dn", Text, nullable=False),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
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
    Column("expires_at", moment),
    Column("disabled", Boolean, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("creator_kind", Text),
    Column("creator_id", Integer),
    Column("created_at", moment, nullable=False),
    Column("updated_at", moment, nullable=False),
)
