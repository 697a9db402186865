"""The tables of schema token, as `shared/migrations` makes them; a test compares the two."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, Uuid, text

from shared.db import metadata_for

metadata = metadata_for("token")

_moment = DateTime(timezone=True)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("user_id", Integer, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", _moment, nullable=False),
    Column("used_at", _moment),
    Column("expires_at", _moment, nullable=False),
    Column("revoked_at", _moment),
)

login_failures = Table(
    "login_failures",
    metadata,
    Column("account", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("minute", _moment, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("reported", Integer, nullable=False),
)
