"""The portal's first page: pushes, pulls and storage day by day; and what verifying the audit record found."""

from alembic import op

revision = "0113"
down_revision = "0112"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE audit.days (
            project text NOT NULL,       -- empty: all of them, and what belongs to none
            day date NOT NULL,           -- in UTC
            pushes bigint NOT NULL DEFAULT 0,
            pulls bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (project, day)
        );
        CREATE INDEX days_day ON audit.days (day);

        CREATE FUNCTION audit.count_days() RETURNS trigger
            LANGUAGE plpgsql SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        BEGIN
            INSERT INTO audit.days AS d (project, day, pushes, pulls)
                SELECT scope, r.occurred_at::date,
                       coalesce(sum(r.occurrences) FILTER (WHERE r.operation = 'create'), 0),
                       coalesce(sum(r.occurrences) FILTER (WHERE r.operation = 'pull'), 0)
                FROM added r, unnest(ARRAY['', r.project]) AS scope
                WHERE scope IS NOT NULL AND r.resource_type = 'artifact' AND r.operation IN ('create', 'pull')
                    AND r.succeeded
                GROUP BY scope, r.occurred_at::date
                ORDER BY scope, r.occurred_at::date
                ON CONFLICT (project, day) DO UPDATE
                    SET pushes = d.pushes + excluded.pushes, pulls = d.pulls + excluded.pulls;
            RETURN NULL;
        END $$;
        CREATE TRIGGER count_days AFTER INSERT ON audit.records
            REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit.count_days();
        INSERT INTO audit.days (project, day, pushes, pulls)
            SELECT scope, (r.occurred_at AT TIME ZONE 'UTC')::date,
                   coalesce(sum(r.occurrences) FILTER (WHERE r.operation = 'create'), 0),
                   coalesce(sum(r.occurrences) FILTER (WHERE r.operation = 'pull'), 0)
            FROM audit.records r, unnest(ARRAY['', r.project]) AS scope
            WHERE scope IS NOT NULL AND r.resource_type = 'artifact' AND r.operation IN ('create', 'pull')
                AND r.succeeded AND r.occurred_at > now() - interval '90 days'
            GROUP BY scope, (r.occurred_at AT TIME ZONE 'UTC')::date;
        GRANT SELECT ON audit.days TO breakwater_core;
        GRANT SELECT, DELETE ON audit.days TO breakwater_audit;

        CREATE TABLE core.storage_days (
            project_id integer NOT NULL REFERENCES core.projects (id) ON DELETE CASCADE,
            day date NOT NULL,           -- in UTC
            bytes bigint NOT NULL,
            PRIMARY KEY (day, project_id)
        );
        GRANT SELECT ON core.storage_days TO breakwater_core;
        GRANT SELECT, INSERT, UPDATE, DELETE ON core.storage_days TO breakwater_metadata;

        CREATE TABLE audit.checks (
            scope text PRIMARY KEY CHECK (scope IN ('recent', 'all')),
            asked_at timestamptz,        -- not null: somebody waits for it
            verified_at timestamptz,
            first_link bigint NOT NULL DEFAULT 0,
            links bigint NOT NULL DEFAULT 0,
            broken text                  -- the first link that does not hold, and why
        );
        INSERT INTO audit.checks (scope) VALUES ('recent'), ('all');
        GRANT SELECT, UPDATE (asked_at) ON audit.checks TO breakwater_core;
        GRANT SELECT, UPDATE ON audit.checks TO breakwater_audit;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE audit.checks;
        DROP TABLE core.storage_days;
        DROP TRIGGER count_days ON audit.records;
        DROP FUNCTION audit.count_days();
        DROP TABLE audit.days;
        """
    )
