"""What is deleted before the catalogue has its artifact frees its room at once too."""

from alembic import op

revision = "0124"
down_revision = "0123"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE core.quota_departures ALTER COLUMN artifact_id DROP NOT NULL")


def downgrade() -> None:
    op.execute(
        """
        DELETE FROM core.quota_departures WHERE artifact_id IS NULL;
        ALTER TABLE core.quota_departures ALTER COLUMN artifact_id SET NOT NULL;
        """
    )
