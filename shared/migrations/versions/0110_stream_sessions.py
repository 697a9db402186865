"""The event stream knows people by the portal's session: it may see which are good, not from where they were begun."""

from alembic import op

revision = "0110"
down_revision = "0109"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        GRANT USAGE ON SCHEMA gateway TO breakwater_events;
        GRANT SELECT (token_hash, user_id, credential_version, seen_at, expires_at)
            ON gateway.sessions TO breakwater_events;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        REVOKE SELECT (token_hash, user_id, credential_version, seen_at, expires_at)
            ON gateway.sessions FROM breakwater_events;
        REVOKE USAGE ON SCHEMA gateway FROM breakwater_events;
        """
    )
