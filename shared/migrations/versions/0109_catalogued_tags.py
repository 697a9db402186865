"""A tag is found by its repository: replication compares it with the target before it reads anything here."""

from alembic import op

revision = "0109"
down_revision = "0108"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE VIEW directory.tags AS
            SELECT t.name, t.artifact_id, t.pushed_at, r.name AS repository
            FROM core.tags t JOIN core.repositories r ON r.id = t.repository_id
        """
    )


def downgrade() -> None:
    op.execute("DROP VIEW directory.tags")
    op.execute("CREATE VIEW directory.tags AS SELECT t.name, t.artifact_id, t.pushed_at FROM core.tags t")
    op.execute("GRANT SELECT ON directory.tags TO breakwater_replication, breakwater_core")
