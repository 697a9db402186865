"""The log's days are attached: making one waits for no reader, and no reader, numbering or dump waits behind it."""

from alembic import op

revision = "0095"
down_revision = "0094"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION events.prepare_log(ahead integer) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        DECLARE day date; name text; BEGIN
            FOR day IN SELECT generate_series(current_date - 1, current_date + ahead, interval '1 day')::date LOOP
                name := 'log_' || to_char(day, 'YYYYMMDD');
                CONTINUE WHEN to_regclass('events.' || name) IS NOT NULL;
                PERFORM pg_advisory_xact_lock(7302004);
                CONTINUE WHEN to_regclass('events.' || name) IS NOT NULL;
                EXECUTE format('CREATE TABLE events.%I (LIKE events.log INCLUDING ALL)', name);
                EXECUTE format('ALTER TABLE events.log ATTACH PARTITION events.%I FOR VALUES FROM (%L) TO (%L)',
                               name, day::timestamptz, (day + 1)::timestamptz);
            END LOOP;
        END $$;
        """
    )
