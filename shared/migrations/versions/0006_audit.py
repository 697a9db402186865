"""Schema audit: the record in monthly partitions, beside it the chain that survives purge.

The audit role writes through the functions below alone: it can add to the record, never edit it.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA audit;

        CREATE TABLE audit.records (
            sequence bigint NOT NULL,    -- the chain's
            recorded_at timestamptz NOT NULL,
            event_id uuid NOT NULL,
            event_type text NOT NULL,
            occurred_at timestamptz NOT NULL,
            actor text NOT NULL,
            actor_kind text NOT NULL,
            operation text NOT NULL,
            resource_type text NOT NULL,
            resource text NOT NULL,
            project_id integer,
            project text,
            repository text,
            digest text,
            tag text,
            address text NOT NULL,
            client text NOT NULL,
            request_id text NOT NULL,
            succeeded boolean NOT NULL,
            occurrences integer NOT NULL CHECK (occurrences > 0),
            description text NOT NULL,
            PRIMARY KEY (sequence, recorded_at)
        ) PARTITION BY RANGE (recorded_at);
        -- one for each filter of the lists, each in the lists' order
        CREATE INDEX ix_records_occurred ON audit.records (occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_actor ON audit.records (actor, occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_operation ON audit.records (operation, occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_resource_type ON audit.records (resource_type, occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_project ON audit.records (project, occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_project_actor ON audit.records (project, actor, occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_project_operation ON audit.records
            (project, operation, occurred_at DESC, sequence DESC);
        CREATE INDEX ix_records_project_resource_type ON audit.records
            (project, resource_type, occurred_at DESC, sequence DESC) WHERE resource_type <> 'artifact';
        CREATE INDEX ix_records_resource ON audit.records USING hash (resource);
        CREATE INDEX ix_records_resource_text ON audit.records USING gin (resource audit.gin_trgm_ops);

        -- not partitioned: it also says which events are recorded already
        CREATE TABLE audit.chain (
            sequence bigint PRIMARY KEY,
            recorded_at timestamptz NOT NULL,
            event_id uuid NOT NULL CONSTRAINT uq_chain_event_id UNIQUE,
            row_hash bytea NOT NULL,
            mac bytea NOT NULL
        );
        CREATE INDEX ix_chain_recorded ON audit.chain (recorded_at, sequence);

        CREATE TABLE audit.head (
            id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
            sequence bigint NOT NULL,
            recorded_at timestamptz NOT NULL,
            mac bytea NOT NULL
        );
        INSERT INTO audit.head (sequence, recorded_at, mac) VALUES (0, 'epoch', '');

        -- what a purged part of the chain ended in; its MAC shows that the key's holder purged
        CREATE TABLE audit.anchors (
            sequence bigint PRIMARY KEY,
            purged_before timestamptz NOT NULL,
            purged_at timestamptz NOT NULL,
            records bigint NOT NULL,
            mac bytea NOT NULL
        );

        -- how many records a list has, so that no list has to count: '' stands for "all"
        CREATE TABLE audit.tallies (
            project text NOT NULL,
            dimension text NOT NULL CHECK (dimension IN ('', 'actor', 'operation', 'resource_type')),
            value text NOT NULL,
            records bigint NOT NULL,
            PRIMARY KEY (project, dimension, value)
        ) WITH (fillfactor = 50);

        CREATE FUNCTION audit.prepare(moment timestamptz) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        DECLARE
            month timestamptz := date_trunc('month', moment);
            name text := 'records_' || to_char(month, 'YYYYMM');
        BEGIN
            IF to_regclass('audit.' || name) IS NULL THEN
                PERFORM pg_advisory_xact_lock(7302006);
                IF to_regclass('audit.' || name) IS NULL THEN
                    -- made apart and attached: that does not wait for readers
                    EXECUTE format('CREATE TABLE audit.%I (LIKE audit.records INCLUDING ALL)', name);
                    EXECUTE format('ALTER TABLE audit.records ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
                                   name, month, month + interval '1 month');
                END IF;
            END IF;
        END $$;

        CREATE FUNCTION audit.lock_head() RETURNS TABLE (sequence bigint, recorded_at timestamptz, mac bytea)
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
            $$ SELECT h.sequence, h.recorded_at, h.mac FROM audit.head h WHERE h.id = 1 FOR UPDATE $$;

        -- takes records with their links, in order, right behind the head, or nothing
        CREATE FUNCTION audit.append(batch jsonb) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        DECLARE
            head audit.head;
            first bigint; last bigint; number bigint; oldest timestamptz; newest timestamptz;
        BEGIN
            SELECT * INTO STRICT head FROM audit.head WHERE id = 1 FOR UPDATE;
            SELECT min(r.sequence), max(r.sequence), count(*), min(r.recorded_at), max(r.recorded_at)
                INTO first, last, number, oldest, newest
                FROM jsonb_to_recordset(batch) AS r (sequence bigint, recorded_at timestamptz);
            IF number = 0 OR first <> head.sequence + 1 OR last - first + 1 <> number OR oldest < head.recorded_at THEN
                RAISE EXCEPTION 'the batch does not follow the head of the chain';
            END IF;
            PERFORM audit.prepare(oldest), audit.prepare(newest);
            INSERT INTO audit.records (
                    sequence, recorded_at, event_id, event_type, occurred_at, actor, actor_kind, operation,
                    resource_type, resource, project_id, project, repository, digest, tag, address, client, request_id,
                    succeeded, occurrences, description)
                SELECT r.sequence, r.recorded_at, r.event_id, r.event_type, r.occurred_at, r.actor, r.actor_kind,
                       r.operation, r.resource_type, r.resource, r.project_id, r.project, r.repository, r.digest, r.tag,
                       r.address, r.client, r.request_id, r.succeeded, r.occurrences, r.description
                FROM jsonb_populate_recordset(NULL::audit.records, batch) r;
            INSERT INTO audit.chain (sequence, recorded_at, event_id, row_hash, mac)
                SELECT r.sequence, r.recorded_at, r.event_id, decode(r.row_hash, 'hex'), decode(r.mac, 'hex')
                FROM jsonb_to_recordset(batch) AS r (
                    sequence bigint, recorded_at timestamptz, event_id uuid, row_hash text, mac text)
                ORDER BY r.sequence;
            UPDATE audit.head h SET sequence = c.sequence, recorded_at = c.recorded_at, mac = c.mac
                FROM audit.chain c WHERE c.sequence = last AND h.id = 1;
            INSERT INTO audit.tallies AS t (project, dimension, value, records)
                SELECT scope, dimension, value, count(*)
                FROM jsonb_populate_recordset(NULL::audit.records, batch) r,
                     LATERAL (VALUES ('', ''), ('actor', r.actor), ('operation', r.operation),
                                     ('resource_type', r.resource_type)) AS d (dimension, value),
                     unnest(ARRAY['', r.project]) AS scope
                WHERE scope IS NOT NULL
                GROUP BY scope, dimension, value
                ON CONFLICT (project, dimension, value) DO UPDATE SET records = t.records + excluded.records;
        END $$;

        -- drops the content of records up to `through`; the chain stays and an anchor is left
        CREATE FUNCTION audit.purge(through bigint, older_than timestamptz, moment timestamptz, anchor_mac bytea)
            RETURNS bigint
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET timezone = 'UTC' AS $$
        DECLARE
            purged bigint; partition text; newest bigint;
        BEGIN
            PERFORM FROM audit.head WHERE id = 1 FOR UPDATE;
            IF older_than > now() - interval '1 hour' THEN
                RAISE EXCEPTION 'records of the last hour are not purged';
            END IF;
            IF EXISTS (SELECT FROM audit.chain WHERE sequence <= through AND recorded_at >= older_than) THEN
                RAISE EXCEPTION 'the chain up to there holds records that are not older';
            END IF;
            UPDATE audit.tallies t SET records = t.records - gone.records
                FROM (SELECT scope, dimension, value, count(*) AS records
                      FROM audit.records r,
                           LATERAL (VALUES ('', ''), ('actor', r.actor), ('operation', r.operation),
                                           ('resource_type', r.resource_type)) AS d (dimension, value),
                           unnest(ARRAY['', r.project]) AS scope
                      WHERE r.sequence <= through AND scope IS NOT NULL
                      GROUP BY scope, dimension, value) gone
                WHERE t.project = gone.scope AND t.dimension = gone.dimension AND t.value = gone.value;
            DELETE FROM audit.tallies WHERE records <= 0;
            SELECT count(*) INTO purged FROM audit.records WHERE sequence <= through;
            FOR partition IN
                SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'audit.records'::regclass
                  AND to_timestamp(substr(c.relname, 9), 'YYYYMM') + interval '1 month' <= older_than
                ORDER BY c.relname
            LOOP
                EXECUTE format('SELECT max(sequence) FROM audit.%I', partition) INTO newest;
                IF newest <= through OR newest IS NULL THEN
                    EXECUTE format('DROP TABLE audit.%I', partition);
                END IF;
            END LOOP;
            DELETE FROM audit.records WHERE sequence <= through;
            INSERT INTO audit.anchors (sequence, purged_before, purged_at, records, mac)
                VALUES (through, older_than, moment, purged, anchor_mac);
            RETURN purged;
        END $$;

        REVOKE ALL ON FUNCTION audit.prepare(timestamptz), audit.lock_head(), audit.append(jsonb),
            audit.purge(bigint, timestamptz, timestamptz, bytea) FROM PUBLIC;
        """
    )
