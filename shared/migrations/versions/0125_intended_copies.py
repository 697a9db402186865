"""What a policy is about to put at its target is noted before it is put: the answer may be lost."""

from alembic import op

revision = "0125"
down_revision = "0124"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE replication.copies ADD COLUMN intended text")


def downgrade() -> None:
    op.execute("ALTER TABLE replication.copies DROP COLUMN intended")
