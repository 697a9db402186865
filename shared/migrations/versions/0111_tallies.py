"""What each policy has come to is counted as it happens: metrics must not fall when old executions are dropped."""

from alembic import op

revision = "0111"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE replication.tallies (
            policy_id integer NOT NULL REFERENCES replication.policies (id) ON DELETE CASCADE,
            figure text NOT NULL CHECK (figure IN ('tasks', 'failures', 'artifacts_copied', 'bytes_sent')),
            kind text NOT NULL,          -- of tasks how they ended, of failures the reason, else empty
            number bigint NOT NULL CHECK (number >= 0),
            PRIMARY KEY (policy_id, figure, kind)
        );
        GRANT SELECT, INSERT, UPDATE ON replication.tallies TO breakwater_replication, breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE replication.tallies")
