"""Sessions of the portal: who signed in with a form, known by a cookie of which only the hash is kept."""

from alembic import op

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE gateway.sessions (
            token_hash bytea PRIMARY KEY,
            user_id integer NOT NULL,
            -- of the account when the session began: with another password it is over
            credential_version integer NOT NULL,
            address text NOT NULL,
            user_agent text NOT NULL,
            created_at timestamptz NOT NULL,
            seen_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX ix_sessions_user ON gateway.sessions (user_id, seen_at);
        CREATE INDEX ix_sessions_expires ON gateway.sessions (expires_at);
        GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.sessions TO breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE gateway.sessions")
