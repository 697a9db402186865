"""The tables of schema audit, as queries speak of them. The record itself is written through the schema's functions."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
)

from shared.db import metadata_for
from shared.pools import pools_table

metadata: Final = metadata_for("audit")

records: Final = Table(
    "records",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("project_id", Integer),
    Column("project", Text),
    Column("repository", Text),
    Column("digest", Text),
    Column("tag", Text),
    Column("address", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Column("occurrences", Integer, nullable=False),
    Column("description", Text, nullable=False),
)

chain: Final = Table(
    "chain",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("row_hash", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

head: Final = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, server_default="1"),
    Column("sequence", BigInteger, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

anchors: Final = Table(
    "anchors",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("purged_before", DateTime(timezone=True), nullable=False),
    Column("purged_at", DateTime(timezone=True), primary_key=True),
    Column("records", BigInteger, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("kinds", ARRAY(Text), nullable=False, server_default="{}"),
)

tallies: Final = Table(
    "tallies",
    metadata,
    Column("project", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("records", BigInteger, nullable=False),
)

days: Final = Table(
    "days",
    metadata,
    Column("project", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("pushes", BigInteger, nullable=False, server_default="0"),
    Column("pulls", BigInteger, nullable=False, server_default="0"),
)

checks: Final = Table(
    "checks",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("asked_at", DateTime(timezone=True)),
    Column("verified_at", DateTime(timezone=True)),
    Column("first_link", BigInteger, nullable=False, server_default="0"),
    Column("links", BigInteger, nullable=False, server_default="0"),
    Column("broken", Text),
)

pools: Final = pools_table(metadata)
