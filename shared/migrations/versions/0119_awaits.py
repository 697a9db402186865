"""The registry notifies of a push before it has written the tag: such an event waits until the push is answered."""

from alembic import op

revision = "0119"
down_revision = "0118"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- the write in events.expected that has to be answered first; NULL: nothing is waited for
        ALTER TABLE events.outbox ADD COLUMN awaits uuid;
        GRANT SELECT (id, answered_at) ON events.expected TO breakwater_relay;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        REVOKE SELECT (id, answered_at) ON events.expected FROM breakwater_relay;
        ALTER TABLE events.outbox DROP COLUMN awaits;
        """
    )
