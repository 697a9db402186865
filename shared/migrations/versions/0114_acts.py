"""What administrators and people do in the portal that the command line alone could: parked notifications, tokens."""

from alembic import op

revision = "0114"
down_revision = "0113"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- a parked notification is looked at, thrown away, or taken in as the intake does
        GRANT SELECT, DELETE ON events.parked TO breakwater_core;
        GRANT SELECT, INSERT ON events.seen TO breakwater_core;

        -- whoever has signed in makes a refresh token of his own; the hashes of those that are there stay unreadable
        GRANT INSERT (token_hash, user_id, credential_version, client_id, address, created_at, expires_at), DELETE
            ON token.refresh_tokens TO breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        REVOKE INSERT (token_hash, user_id, credential_version, client_id, address, created_at, expires_at), DELETE
            ON token.refresh_tokens FROM breakwater_core;
        REVOKE SELECT, INSERT ON events.seen FROM breakwater_core;
        REVOKE SELECT, DELETE ON events.parked FROM breakwater_core;
        """
    )
