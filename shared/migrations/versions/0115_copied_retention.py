"""A policy may take projects' retention policies along; what was made where is kept, so that only that is changed."""

from alembic import op

revision = "0115"
down_revision = "0114"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE replication.policies ADD COLUMN copy_retention boolean NOT NULL DEFAULT false;

        CREATE VIEW directory.retentions AS
            SELECT p.name AS project, r.rules, coalesce(s.cron, '') AS cron
            FROM core.retention_policies r
            JOIN core.projects p ON p.id = r.project_id
            LEFT JOIN core.schedules s ON s.kind = 'retention' AND s.owner_id = r.id
            WHERE p.deleted_at IS NULL;
        GRANT SELECT ON directory.retentions TO breakwater_replication;

        CREATE TABLE replication.retentions (
            registry_id integer NOT NULL REFERENCES replication.registries (id) ON DELETE CASCADE,
            target text NOT NULL,        -- the project there
            project_id bigint,           -- its number there: one that is made anew has another
            number bigint,               -- of the retention policy that we made there
            carried jsonb,               -- what we put there last
            intended jsonb,              -- what we were about to put there, written down before it is sent
            stopped boolean NOT NULL DEFAULT false,  -- somebody else has changed it: it is theirs now
            execution_id bigint,         -- that has seen to it last
            task_id bigint,              -- that sees to it, as long as it runs in the hand of this worker
            worker uuid,
            PRIMARY KEY (registry_id, target)
        );
        GRANT SELECT, INSERT, UPDATE ON replication.retentions TO breakwater_replication;
        GRANT SELECT, DELETE ON replication.retentions TO breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE replication.retentions;
        DROP VIEW directory.retentions;
        ALTER TABLE replication.policies DROP COLUMN copy_retention;
        """
    )
