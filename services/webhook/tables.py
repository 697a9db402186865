"""The tables of schemas events and webhook, as this service's queries speak of them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import metadata_for
from shared.pools import pools_table

metadata: Final = metadata_for("events")
webhook_metadata: Final = metadata_for("webhook")

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
    Column("awaits", Uuid),
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
    Column("broker", Text, nullable=False, server_default=""),
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

policies: Final = Table(
    "policies",
    webhook_metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("event_types", ARRAY(Text), nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("false")),
    Column("creator", Text, nullable=False, server_default=""),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

targets: Final = Table(
    "targets",
    webhook_metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("policy_id", Integer, ForeignKey(policies.c.id, ondelete="CASCADE"), nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("payload_format", Text, nullable=False),
    Column("skip_cert_verify", Boolean, nullable=False, server_default=text("false")),
    Column("auth_header", Text),
    Column("signing_secret", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("open_until", DateTime(timezone=True)),
    Column("lease", Uuid),
    Column("leased_until", DateTime(timezone=True)),
    Column("pool_id", Uuid),
    Column("delivery_id", BigInteger),
    Column("served_at", DateTime(timezone=True)),
    Column("quick", Boolean, nullable=False, server_default=text("false")),
)

deliveries: Final = Table(
    "deliveries",
    webhook_metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("uid", Uuid, nullable=False),
    Column("target_id", Integer, ForeignKey(targets.c.id, ondelete="CASCADE"), nullable=False),
    Column("policy_id", Integer, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("message", Text, nullable=False, server_default=""),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    Column("event_id", Uuid),
    Column("request_id", Text, nullable=False, server_default=""),
)

attempts: Final = Table(
    "attempts",
    webhook_metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("delivery_id", BigInteger, ForeignKey(deliveries.c.id, ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
    Column("succeeded", Boolean, nullable=False),
    Column("message", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("response", Text, nullable=False),
    Column("body", Text),
)

delivered_events: Final = Table(
    "seen",
    webhook_metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

pools: Final = pools_table(webhook_metadata)
