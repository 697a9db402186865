"""Which trace a change, a run and a task of replication belong to: a task may run minutes later, and elsewhere."""

from alembic import op

revision = "0118"
down_revision = "0117"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- a traceparent of W3C Trace Context, empty where nothing was traced
        ALTER TABLE replication.changes ADD COLUMN traceparent text NOT NULL DEFAULT '';
        ALTER TABLE replication.executions ADD COLUMN traceparent text NOT NULL DEFAULT '';
        ALTER TABLE replication.tasks ADD COLUMN traceparent text NOT NULL DEFAULT '';
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE replication.tasks DROP COLUMN traceparent;
        ALTER TABLE replication.executions DROP COLUMN traceparent;
        ALTER TABLE replication.changes DROP COLUMN traceparent;
        """
    )
