"""What a project stores is right after a deletion too, before the catalogue has followed it; the modes of the system.

From here on a reservation names all blobs that its manifest needs, not only those that the project lacks.
"""

from alembic import op

revision = "0122"
down_revision = "0121"
branch_labels = None
depends_on = None


PROJECTS = """
    CREATE OR REPLACE VIEW directory.projects AS
        SELECT p.id, p.name, p.public, p.storage_limit, p.storage_used, p.created_at,
               p.storage_limit >= 0 AND p.storage_used >= p.storage_limit AND NOT EXISTS (
                   SELECT FROM core.configuration c
                   WHERE c.key = 'quota_per_project_enable' AND c.value = 'false'
               ){unless} AS is_full
        FROM core.projects p WHERE p.deleted_at IS NULL
"""
UNLESS_FREED = " AND NOT EXISTS (SELECT FROM core.quota_departures d WHERE d.project_id = p.id)"


def upgrade() -> None:
    op.execute(
        """
        -- artifacts whose deletion the gate has passed on, until they leave the catalogue
        CREATE TABLE core.quota_departures (
            expectation_id uuid PRIMARY KEY,
            project_id integer NOT NULL,
            artifact_id bigint NOT NULL REFERENCES core.artifacts (id) ON DELETE CASCADE,
            departed_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX ix_quota_departures_project ON core.quota_departures (project_id);
        CREATE INDEX ix_quota_departures_artifact ON core.quota_departures (artifact_id);
        CREATE INDEX ix_quota_departures_at ON core.quota_departures (departed_at);

        GRANT SELECT, INSERT, DELETE ON core.quota_departures TO breakwater_core;
        GRANT SELECT, DELETE ON core.quota_departures TO breakwater_metadata;
        """
    )
    op.execute(
        """
        -- all that somebody needs to know of the configuration who has no business with the rest
        CREATE VIEW core.modes AS
            SELECT EXISTS (SELECT FROM core.configuration WHERE key = 'read_only' AND value = 'true') AS read_only;
        GRANT SELECT ON core.modes TO breakwater_core, breakwater_metadata;
        """
    )
    # what a full project deletes may make room: the gate judges then
    op.execute(PROJECTS.format(unless=UNLESS_FREED))


def downgrade() -> None:
    op.execute(PROJECTS.format(unless=""))
    op.execute("DROP VIEW core.modes")
    op.execute("DROP TABLE core.quota_departures")
