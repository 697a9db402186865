"""A project's own list of vulnerabilities that are tolerated."""

from alembic import op

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE core.project_allowlists (
            project_id integer PRIMARY KEY REFERENCES core.projects (id),
            cves jsonb NOT NULL,
            expires_at bigint,           -- seconds since 1970; null: never
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        GRANT SELECT, INSERT, UPDATE, DELETE ON core.project_allowlists TO breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE core.project_allowlists")
