"""A policy may take the labels of artifacts along, with their color and description."""

from alembic import op

revision = "0112"
down_revision = "0111"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE replication.policies ADD COLUMN copy_labels boolean NOT NULL DEFAULT false;
        CREATE OR REPLACE VIEW directory.artifact_labels AS
            SELECT al.artifact_id, l.name, l.color, l.description
            FROM core.artifact_labels al JOIN core.labels l ON l.id = al.label_id
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE replication.policies DROP COLUMN copy_labels")
    op.execute("DROP VIEW directory.artifact_labels")
    op.execute(
        """
        CREATE VIEW directory.artifact_labels AS
            SELECT al.artifact_id, l.name FROM core.artifact_labels al JOIN core.labels l ON l.id = al.label_id
        """
    )
    op.execute("GRANT SELECT ON directory.artifact_labels TO breakwater_replication, breakwater_core")
