"""What processes count of their own work, and the few numbers of other parts' tables that metrics need."""

from alembic import op

revision = "0117"
down_revision = "0116"
branch_labels = None
depends_on = None

def upgrade() -> None:
    op.execute(
        """
        CREATE SCHEMA metrics;
        GRANT USAGE ON SCHEMA metrics TO breakwater_token, breakwater_core, breakwater_events, breakwater_intake,
            breakwater_relay, breakwater_audit, breakwater_metadata, breakwater_webhook, breakwater_replication;

        CREATE TABLE metrics.parts (
            part text PRIMARY KEY,
            told_at timestamptz NOT NULL
        ) WITH (fillfactor = 50);
        CREATE TABLE metrics.figures (
            part text NOT NULL,
            name text NOT NULL,
            labels text[] NOT NULL,      -- values, in the order of the figure's labels; of a timing its bound is last
            value double precision NOT NULL,
            PRIMARY KEY (part, name, labels)
        ) WITH (fillfactor = 50);

        -- who tells is known by whom he has logged in as: no part can speak for another
        CREATE FUNCTION metrics.tell(told jsonb) RETURNS void
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
                FROM jsonb_to_recordset(told) AS t (name text, labels text[], value double precision, adds boolean)
                WHERE NOT t.adds ORDER BY t.name, t.labels
                ON CONFLICT (part, name, labels) DO UPDATE SET value = excluded.value;
            INSERT INTO metrics.parts (part, told_at) VALUES (teller, clock_timestamp())
                ON CONFLICT (part) DO UPDATE SET told_at = excluded.told_at;
        END $$;

        -- counted no further than this: the more wait, the less may it cost to find out
        CREATE VIEW metrics.outbox AS SELECT
            (SELECT count(*) FROM (SELECT FROM events.outbox LIMIT 100000) AS first) AS waiting,
            (SELECT created_at FROM events.outbox ORDER BY id LIMIT 1) AS oldest_at;
        CREATE VIEW metrics.relay AS SELECT last_sequence, published_through, (
                SELECT recorded_at FROM events.log WHERE sequence > published_through ORDER BY sequence LIMIT 1
            ) AS oldest_at
            FROM events.relay;

        -- since when the first of the events of some types waits that are published and behind a consumer's position;
        -- of very many in between that are none of his, the last that was looked at stands for it
        CREATE FUNCTION metrics.waiting_since(handled bigint, types text[], OUT since timestamptz, OUT found boolean)
            LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
            WITH next AS MATERIALIZED (
                SELECT type, recorded_at FROM events.log
                WHERE sequence > handled AND sequence <= (SELECT published_through FROM events.relay)
                ORDER BY sequence LIMIT 5000
            ), first AS (SELECT min(recorded_at) AS since FROM next WHERE type = ANY (types))
            SELECT CASE WHEN first.since IS NOT NULL THEN first.since
                        WHEN count(next.*) = 5000 THEN max(next.recorded_at) END, first.since IS NOT NULL
            FROM first LEFT JOIN next ON true GROUP BY first.since
        $$;

        REVOKE ALL ON FUNCTION metrics.tell(jsonb), metrics.waiting_since(bigint, text[]) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION metrics.tell(jsonb) TO breakwater_token, breakwater_core, breakwater_events,
            breakwater_intake, breakwater_relay, breakwater_audit, breakwater_metadata, breakwater_webhook,
            breakwater_replication;
        GRANT EXECUTE ON FUNCTION metrics.waiting_since(bigint, text[]) TO breakwater_core;
        GRANT SELECT ON metrics.parts, metrics.figures, metrics.outbox, metrics.relay TO breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute("DROP SCHEMA metrics CASCADE")
