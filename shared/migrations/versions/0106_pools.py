"""Which process works at what: pools of the services that work jobs, and who has a delivery or a purge in hand."""

from alembic import op

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None

POOLS = """
    CREATE TABLE {schema}.pools (
        id uuid PRIMARY KEY,
        host text NOT NULL,
        pid integer NOT NULL,
        concurrency integer NOT NULL,
        started_at timestamptz NOT NULL,
        heartbeat_at timestamptz NOT NULL
    );
    GRANT SELECT, INSERT, DELETE, UPDATE (heartbeat_at) ON {schema}.pools TO {role};
    GRANT SELECT ON {schema}.pools TO breakwater_core;
"""
WORKERS = {"webhook": "breakwater_webhook", "core": "breakwater_metadata", "audit": "breakwater_audit"}


def upgrade() -> None:
    for schema, role in WORKERS.items():
        op.execute(POOLS.format(schema=schema, role=role))
    op.execute(
        """
        -- beside the lease: the process that holds it, and the delivery that it sends
        ALTER TABLE webhook.targets ADD COLUMN pool_id uuid, ADD COLUMN delivery_id bigint;
        GRANT UPDATE (pool_id, delivery_id) ON webhook.targets TO breakwater_webhook;

        -- the process that runs it, while it runs
        ALTER TABLE core.audit_purges ADD COLUMN pool_id uuid;
        GRANT UPDATE (pool_id) ON core.audit_purges TO breakwater_audit;
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE core.audit_purges DROP COLUMN pool_id")
    op.execute("ALTER TABLE webhook.targets DROP COLUMN pool_id, DROP COLUMN delivery_id")
    for schema in WORKERS:
        op.execute(f"DROP TABLE {schema}.pools")
