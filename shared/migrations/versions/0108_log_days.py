"""The days of the log are made by whoever comes first, and nobody stumbles over them.

Whoever had waited for the other's commit asked `to_regclass` again, and could be answered by what his session had
cached before; a query of the catalog sees what is committed.
"""

from alembic import op

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None

FUNCTION = """
    CREATE OR REPLACE FUNCTION events.prepare_log(ahead integer) RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
    DECLARE day date; name text; BEGIN
        FOR day IN SELECT generate_series(current_date - 1, current_date + ahead, interval '1 day')::date LOOP
            name := 'log_' || to_char(day, 'YYYYMMDD');
            CONTINUE WHEN to_regclass('events.' || name) IS NOT NULL;
            PERFORM pg_advisory_xact_lock(7302004);
            CONTINUE WHEN {again};
            EXECUTE format('CREATE TABLE events.%I (LIKE events.log INCLUDING ALL)', name);
            EXECUTE format('ALTER TABLE events.log ATTACH PARTITION events.%I FOR VALUES FROM (%L) TO (%L)',
                           name, day::timestamptz, (day + 1)::timestamptz);
        END LOOP;
    END $$;
"""


def upgrade() -> None:
    made = "EXISTS (SELECT FROM pg_class c WHERE c.relname = name AND c.relnamespace = 'events'::regnamespace)"
    op.execute(FUNCTION.format(again=made))


def downgrade() -> None:
    op.execute(FUNCTION.format(again="to_regclass('events.' || name) IS NOT NULL"))
