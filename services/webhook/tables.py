"""The tables of schema events, as this service's queries speak of them."""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Identity, Integer, LargeBinary, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import metadata_for

metadata: Final = metadata_for("events")

expected: Final = Table(
    "expected",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("digest", Text),
    Column("subject", Text),
    Column("media_type", Text),
    Column("size", BigInteger),
    Column("actor", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    Column("user_agent", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("traceparent", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="open"),
    Column("settled_by", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("answered_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Column("notified_at", DateTime(timezone=True)),
)

seen: Final = Table(
    "seen",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("project", Text),
    Column("body", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

log: Final = Table(
    "log",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("project", Text),
    Column("body", JSONB, nullable=False),
    Column("recorded_at", DateTime(timezone=True), primary_key=True),
)

relay: Final = Table(
    "relay",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, server_default="1"),
    Column("last_sequence", BigInteger, nullable=False, server_default="0"),
    Column("published_through", BigInteger, nullable=False, server_default="0"),
)

parked: Final = Table(
    "parked",
    metadata,
    Column("id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("reason", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
)
