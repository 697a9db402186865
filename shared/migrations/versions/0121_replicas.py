"""Several processes of a part: of what only rises the highest holds, and which broker has the events is known."""

from alembic import op

revision = "0121"
down_revision = "0120"
branch_labels = None
depends_on = None

TELL = """
    CREATE OR REPLACE FUNCTION metrics.tell(told jsonb) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
    DECLARE
        teller text := substr(session_user, length('breakwater_') + 1);
    BEGIN
        INSERT INTO metrics.figures AS f (part, name, labels, value)
            SELECT teller, t.name, t.labels, t.value
            FROM jsonb_to_recordset(told) AS t (name text, labels text[], value double precision, adds boolean)
            WHERE t.adds ORDER BY t.name, t.labels
            ON CONFLICT (part, name, labels) DO UPDATE SET value = f.value + excluded.value;
        INSERT INTO metrics.figures AS f (part, name, labels, value)
            SELECT teller, t.name, t.labels, t.value
            FROM jsonb_to_recordset(told)
                AS t (name text, labels text[], value double precision, adds boolean, rises boolean)
            WHERE NOT t.adds AND t.rises IS NOT TRUE ORDER BY t.name, t.labels
            ON CONFLICT (part, name, labels) DO UPDATE SET value = excluded.value;
        {rising}
        INSERT INTO metrics.parts (part, told_at) VALUES (teller, clock_timestamp())
            ON CONFLICT (part) DO UPDATE SET told_at = excluded.told_at;
    END $$;
"""
RISING = """
        INSERT INTO metrics.figures AS f (part, name, labels, value)
            SELECT teller, t.name, t.labels, t.value
            FROM jsonb_to_recordset(told)
                AS t (name text, labels text[], value double precision, adds boolean, rises boolean)
            WHERE NOT t.adds AND t.rises ORDER BY t.name, t.labels
            ON CONFLICT (part, name, labels) DO UPDATE SET value = greatest(f.value, excluded.value);
"""
REPLACING = RISING.replace("greatest(f.value, excluded.value)", "excluded.value")


def upgrade() -> None:
    op.execute(TELL.format(rising=RISING))
    op.execute(
        """
        -- the nodes of the broker that was published to, where it is a cluster in containers; else it is empty
        ALTER TABLE events.relay ADD COLUMN broker text NOT NULL DEFAULT '';
        """
    )


def downgrade() -> None:
    op.execute(TELL.format(rising=REPLACING))
    op.execute("ALTER TABLE events.relay DROP COLUMN broker")
