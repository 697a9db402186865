"""Schema token: refresh tokens and counted failures."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE token.refresh_tokens (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            token_hash bytea NOT NULL UNIQUE,
            user_id integer NOT NULL,
            credential_version integer NOT NULL,
            client_id text NOT NULL DEFAULT '',
            address text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now(),
            used_at timestamptz,
            expires_at timestamptz NOT NULL,
            revoked_at timestamptz
        );
        CREATE INDEX ix_refresh_tokens_user ON token.refresh_tokens (user_id, created_at DESC);

        -- wrong credentials, counted per account, address and minute
        CREATE TABLE token.login_failures (
            account text NOT NULL,
            address text NOT NULL,
            minute timestamptz NOT NULL,
            failures integer NOT NULL DEFAULT 1,
            reported boolean NOT NULL DEFAULT false,
            PRIMARY KEY (account, address, minute)
        );
        CREATE INDEX ix_login_failures_unreported ON token.login_failures (minute) WHERE NOT reported;
        """
    )
