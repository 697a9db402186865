"""Robot accounts of the system: rights in projects that are not there go, and those in one can be found."""

from alembic import op

revision = "0094"
down_revision = "0093"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- Rights were kept under a project's name after its deletion, and taken under any name: one that is older than
        -- the project which bears the name now was not given in it.
        UPDATE core.robots r SET permissions = (
            SELECT coalesce(jsonb_agg(e.permission ORDER BY e.place), '[]')
            FROM jsonb_array_elements(r.permissions) WITH ORDINALITY AS e (permission, place)
            WHERE e.permission ->> 'kind' = 'system' OR e.permission ->> 'namespace' = '*' OR EXISTS (
                SELECT FROM core.projects p
                WHERE p.name = e.permission ->> 'namespace' AND p.deleted_at IS NULL AND p.created_at <= r.updated_at
            )
        )
        WHERE r.project_id IS NULL;
        CREATE INDEX ix_robots_permissions ON core.robots USING gin (permissions jsonb_path_ops)
            WHERE project_id IS NULL;
        """
    )
