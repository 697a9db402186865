"""Schema events: what is expected, what came, the outbox and the numbered log."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- a manifest write that the gate has passed on: one notification settles it
        CREATE TABLE events.expected (
            id uuid PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('put', 'delete')),
            repository text NOT NULL,
            reference text NOT NULL,     -- tag or digest, as asked
            digest text,                 -- of the manifest, where it is known
            media_type text,
            size bigint,
            actor text NOT NULL,
            actor_kind text NOT NULL,
            address text NOT NULL DEFAULT '',
            user_agent text NOT NULL DEFAULT '',
            request_id text NOT NULL DEFAULT '',
            traceparent text NOT NULL DEFAULT '',
            state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled', 'refused')),
            settled_by text CHECK (settled_by IN ('registry', 'reconciler', 'gate')),
            created_at timestamptz NOT NULL DEFAULT now(),
            answered_at timestamptz,     -- when the registry had answered with success
            settled_at timestamptz,
            notified_at timestamptz
        );
        CREATE INDEX ix_expected_open ON events.expected (created_at) WHERE state = 'open';
        CREATE INDEX ix_expected_created ON events.expected (created_at);
        CREATE INDEX ix_expected_digest ON events.expected (digest);

        CREATE TABLE events.seen (
            event_id uuid PRIMARY KEY,
            seen_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX ix_seen_at ON events.seen (seen_at);

        CREATE TABLE events.outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id uuid NOT NULL,
            type text NOT NULL,
            routing_key text NOT NULL,
            project text,
            body jsonb NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );

        CREATE TABLE events.log (
            sequence bigint NOT NULL,
            event_id uuid NOT NULL,
            type text NOT NULL,
            routing_key text NOT NULL,
            project text,
            body jsonb NOT NULL,
            recorded_at timestamptz NOT NULL,
            PRIMARY KEY (sequence, recorded_at)
        ) PARTITION BY RANGE (recorded_at);
        CREATE INDEX ix_log_recorded ON events.log (recorded_at);

        CREATE TABLE events.relay (
            id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
            last_sequence bigint NOT NULL DEFAULT 0,
            published_through bigint NOT NULL DEFAULT 0
        );
        INSERT INTO events.relay DEFAULT VALUES;

        CREATE TABLE events.parked (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            received_at timestamptz NOT NULL DEFAULT now(),
            reason text NOT NULL,
            body bytea NOT NULL,
            address text NOT NULL DEFAULT ''
        );
        CREATE INDEX ix_parked_received ON events.parked (received_at DESC);

        CREATE FUNCTION events.notify_outbox() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NOTIFY breakwater_outbox; RETURN NULL; END $$;
        CREATE TRIGGER notify AFTER INSERT ON events.outbox
            FOR EACH STATEMENT EXECUTE FUNCTION events.notify_outbox();

        -- partitions of the log are made ahead and dropped whole; only these functions may
        CREATE FUNCTION events.prepare_log(ahead integer) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        DECLARE day date; BEGIN
            FOR day IN SELECT generate_series(current_date - 1, current_date + ahead, interval '1 day')::date LOOP
                EXECUTE format(
                    'CREATE TABLE IF NOT EXISTS events.%I PARTITION OF events.log FOR VALUES FROM (%L) TO (%L)',
                    'log_' || to_char(day, 'YYYYMMDD'), day::timestamptz, (day + 1)::timestamptz);
            END LOOP;
        END $$;
        -- a day that holds what the broker has not got yet is kept, however old
        CREATE FUNCTION events.trim_log(keep_days integer) RETURNS integer
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        DECLARE name text; highest bigint; dropped integer := 0; BEGIN
            FOR name IN
                SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'events.log'::regclass
                  AND to_date(substr(c.relname, 5), 'YYYYMMDD') < current_date - greatest(keep_days, 1)
            LOOP
                EXECUTE format('SELECT max(sequence) FROM events.%I', name) INTO highest;
                CONTINUE WHEN highest > (SELECT published_through FROM events.relay);
                EXECUTE format('DROP TABLE events.%I', name);
                dropped := dropped + 1;
            END LOOP;
            RETURN dropped;
        END $$;
        REVOKE ALL ON FUNCTION events.prepare_log(integer), events.trim_log(integer) FROM PUBLIC;
        SELECT events.prepare_log(3);
        """
    )
