"""How many runs of a replication policy are kept is an item of the configuration; the part that copies may read it."""

from alembic import op

revision = "0120"
down_revision = "0119"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE VIEW directory.replication_history AS
            SELECT coalesce((
                SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::int END
                FROM core.configuration WHERE key = 'replication_history'
            ), 50) AS kept;
        GRANT SELECT ON directory.replication_history TO breakwater_replication;
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW directory.replication_history")
