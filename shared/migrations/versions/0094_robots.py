"""Robot accounts: rights in projects that are not there go, the rest can be found by project, and makers by number."""

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

        -- who made it, by kind and number; a name may be another's tomorrow
        ALTER TABLE core.robots ADD COLUMN creator_kind text CHECK (creator_kind IN ('user', 'robot'));
        ALTER TABLE core.robots ADD COLUMN creator_id integer;
        UPDATE core.robots r SET creator_kind = 'user', creator_id = u.id
            FROM core.users u WHERE u.username = r.creator;
        UPDATE core.robots r SET creator_kind = 'robot', creator_id = maker.id
            FROM core.robots maker WHERE strpos(r.creator, '$') > 0
                AND maker.name = substr(r.creator, strpos(r.creator, '$') + 1);
        ALTER TABLE core.robots DROP COLUMN creator;
        """
    )
