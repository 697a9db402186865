"""Schema replication: other registries, policies, executions with their tasks, and what was copied by whom."""

from alembic import op

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE replication.registries (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            description text NOT NULL DEFAULT '',
            kind text NOT NULL,
            url text NOT NULL,
            access_key text NOT NULL DEFAULT '',
            access_secret text,          -- sealed
            insecure boolean NOT NULL DEFAULT false,
            ca_certificate text NOT NULL DEFAULT '',
            proxy text,                  -- sealed: it may hold a password
            concurrency smallint NOT NULL DEFAULT 16 CHECK (concurrency BETWEEN 1 AND 64),
            status text NOT NULL DEFAULT 'unknown' CHECK (status IN ('unknown', 'healthy', 'unhealthy')),
            reason text NOT NULL DEFAULT '',
            failures integer NOT NULL DEFAULT 0,  -- in a row
            checked_at timestamptz,
            due_at timestamptz NOT NULL DEFAULT now(),  -- the next check of its health
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT uq_registries_name UNIQUE (name)
        );
        CREATE INDEX ix_registries_due ON replication.registries (due_at);

        CREATE TABLE replication.policies (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL,
            description text NOT NULL DEFAULT '',
            source_id integer REFERENCES replication.registries (id),  -- null: this registry
            target_id integer REFERENCES replication.registries (id),  -- null: this registry
            namespace text NOT NULL DEFAULT '',
            replace_count smallint NOT NULL DEFAULT -1,
            filters jsonb NOT NULL DEFAULT '[]',
            trigger text NOT NULL CHECK (trigger IN ('manual', 'scheduled', 'event_based')),
            cron text NOT NULL DEFAULT '',
            deletion boolean NOT NULL DEFAULT false,
            override boolean NOT NULL DEFAULT false,
            enabled boolean NOT NULL DEFAULT false,
            speed integer NOT NULL DEFAULT 0,  -- KiB a second over all its tasks; 0: as fast as it goes
            copy_by_chunk boolean NOT NULL DEFAULT false,
            single_active boolean NOT NULL DEFAULT false,
            concurrency smallint NOT NULL DEFAULT 16 CHECK (concurrency BETWEEN 1 AND 64),
            creator text NOT NULL DEFAULT '',
            next_at timestamptz,         -- of a schedule: when it is due
            behind_since timestamptz,    -- since something could not be copied: both sides are to be compared
            heals smallint NOT NULL DEFAULT 0,  -- comparisons in a row that did not end it
            heal_at timestamptz,         -- when the next one is due
            served_at timestamptz,       -- who waited longest is served first
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT uq_policies_name UNIQUE (name),
            CONSTRAINT ck_policies_one_side CHECK ((source_id IS NULL) <> (target_id IS NULL))
        );
        CREATE INDEX ix_policies_source ON replication.policies (source_id);
        CREATE INDEX ix_policies_target ON replication.policies (target_id);
        CREATE INDEX ix_policies_due ON replication.policies (next_at) WHERE next_at IS NOT NULL;
        CREATE INDEX ix_policies_heal ON replication.policies (heal_at) WHERE heal_at IS NOT NULL;

        CREATE TABLE replication.executions (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            policy_id integer NOT NULL REFERENCES replication.policies (id) ON DELETE CASCADE,
            trigger text NOT NULL CHECK (trigger IN ('manual', 'scheduled', 'event_based')),
            scope text NOT NULL CHECK (scope IN ('everything', 'changes')),
            dry_run boolean NOT NULL DEFAULT false,
            operator text NOT NULL DEFAULT '',
            state text NOT NULL CHECK (state IN ('preparing', 'running', 'succeeded', 'failed', 'stopped')),
            message text NOT NULL DEFAULT '',
            worker uuid,                 -- whoever prepares it
            attempts smallint NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL DEFAULT now(),  -- while it is prepared: when that is tried
            stopping boolean NOT NULL DEFAULT false,
            total integer NOT NULL DEFAULT 0,
            in_progress integer NOT NULL DEFAULT 0,
            succeeded integer NOT NULL DEFAULT 0,
            failed integer NOT NULL DEFAULT 0,
            stopped integer NOT NULL DEFAULT 0,
            created_at timestamptz NOT NULL DEFAULT now(),
            ended_at timestamptz,
            CONSTRAINT ck_executions_counters CHECK (total = in_progress + succeeded + failed + stopped),
            CONSTRAINT ck_executions_ended CHECK (
                (ended_at IS NULL) = (state IN ('preparing', 'running')) AND (ended_at IS NULL OR in_progress = 0)
            )
        );
        CREATE INDEX ix_executions_policy ON replication.executions (policy_id, id);
        CREATE INDEX ix_executions_open ON replication.executions (state, due_at)
            WHERE state IN ('preparing', 'running');

        CREATE TABLE replication.tasks (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            execution_id bigint NOT NULL REFERENCES replication.executions (id) ON DELETE CASCADE,
            policy_id integer NOT NULL,
            registry_id integer NOT NULL,  -- the other side
            operation text NOT NULL CHECK (operation IN ('copy', 'deletion')),
            kind text NOT NULL,          -- the type of resource: image or artifact
            source text NOT NULL,        -- the repository it comes from
            target text NOT NULL,        -- the repository it goes to
            digest text,                 -- null: what the tags stand for when it runs
            tags text[] NOT NULL,
            state text NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'stopped')),
            attempts smallint NOT NULL DEFAULT 0,
            due_at timestamptz NOT NULL,
            worker uuid,                 -- whoever runs it
            fault text NOT NULL DEFAULT '',
            message text NOT NULL DEFAULT '',
            blobs_total integer NOT NULL DEFAULT 0,
            blobs_done integer NOT NULL DEFAULT 0,
            bytes_total bigint NOT NULL DEFAULT 0,
            bytes_done bigint NOT NULL DEFAULT 0,  -- there at the end, whoever brought them
            bytes_sent bigint NOT NULL DEFAULT 0,  -- over the wire
            created_at timestamptz NOT NULL,
            started_at timestamptz,
            ended_at timestamptz,
            CONSTRAINT ck_tasks_worker CHECK ((worker IS NOT NULL) = (state = 'running'))
        );
        CREATE INDEX ix_tasks_execution ON replication.tasks (execution_id, id);
        CREATE INDEX ix_tasks_waiting ON replication.tasks (policy_id, due_at, id) WHERE state = 'pending';
        CREATE INDEX ix_tasks_running ON replication.tasks (worker) WHERE state = 'running';
        CREATE INDEX ix_tasks_open ON replication.tasks (policy_id, created_at) WHERE state IN ('pending', 'running');

        -- the processes that work on tasks: who does not beat for a while has lost what it held
        CREATE TABLE replication.pools (
            id uuid PRIMARY KEY,
            host text NOT NULL,
            pid integer NOT NULL,
            concurrency integer NOT NULL,
            started_at timestamptz NOT NULL,
            heartbeat_at timestamptz NOT NULL
        );

        CREATE TABLE replication.task_lines (
            task_id bigint NOT NULL REFERENCES replication.tasks (id) ON DELETE CASCADE,
            id bigint GENERATED ALWAYS AS IDENTITY,
            at timestamptz NOT NULL,
            text text NOT NULL,
            PRIMARY KEY (task_id, id)
        );

        -- what an event has told and nobody has acted on yet: several of one tag are one
        CREATE TABLE replication.changes (
            policy_id integer NOT NULL REFERENCES replication.policies (id) ON DELETE CASCADE,
            source text NOT NULL,
            reference text NOT NULL,     -- a tag, or the digest of what has none
            due_at timestamptz NOT NULL,
            PRIMARY KEY (policy_id, source, reference)
        );
        CREATE INDEX ix_changes_due ON replication.changes (due_at);

        -- what each policy has put where: a deletion follows only this
        CREATE TABLE replication.copies (
            policy_id integer NOT NULL REFERENCES replication.policies (id) ON DELETE CASCADE,
            source text NOT NULL,
            reference text NOT NULL,
            target text NOT NULL,
            digest text NOT NULL,
            copied_at timestamptz NOT NULL,
            PRIMARY KEY (policy_id, source, reference)
        );

        CREATE VIEW directory.artifacts AS
            SELECT a.id, p.id AS project_id, p.name AS project, p.public, r.name AS repository, a.digest, a.type,
                   a.manifest_media_type, a.subject, a.size, a.pushed_at, a.listed
            FROM core.artifacts a
            JOIN core.repositories r ON r.id = a.repository_id
            JOIN core.projects p ON p.id = a.project_id
            WHERE p.deleted_at IS NULL;
        CREATE VIEW directory.tags AS
            SELECT t.name, t.artifact_id, t.pushed_at FROM core.tags t;
        CREATE VIEW directory.artifact_labels AS
            SELECT al.artifact_id, l.name FROM core.artifact_labels al JOIN core.labels l ON l.id = al.label_id;

        GRANT USAGE ON SCHEMA replication, directory TO breakwater_replication;
        GRANT SELECT ON directory.projects, directory.repositories, directory.artifacts, directory.tags,
            directory.artifact_labels TO breakwater_replication, breakwater_core;
        GRANT SELECT, UPDATE (status, reason, failures, checked_at, due_at) ON replication.registries
            TO breakwater_replication;
        GRANT SELECT, UPDATE (next_at, behind_since, heals, heal_at, served_at) ON replication.policies
            TO breakwater_replication;
        GRANT SELECT, INSERT, UPDATE, DELETE ON replication.executions, replication.tasks, replication.task_lines,
            replication.changes, replication.copies, replication.pools TO breakwater_replication;

        GRANT USAGE ON SCHEMA replication TO breakwater_core;
        -- what a policy about another registry has not copied there, and what one that follows no events waits for
        GRANT DELETE ON replication.changes, replication.copies TO breakwater_core;
        GRANT SELECT, INSERT, UPDATE, DELETE ON replication.registries, replication.policies TO breakwater_core;
        GRANT SELECT, INSERT, UPDATE ON replication.executions, replication.tasks TO breakwater_core;
        GRANT SELECT ON replication.task_lines, replication.changes, replication.copies,
            replication.pools TO breakwater_core;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        DROP VIEW directory.artifact_labels, directory.tags, directory.artifacts;
        DROP TABLE replication.copies, replication.changes, replication.task_lines, replication.pools,
            replication.tasks,
            replication.executions, replication.policies, replication.registries;
        REVOKE USAGE ON SCHEMA replication FROM breakwater_core, breakwater_replication;
        REVOKE SELECT ON directory.projects, directory.repositories FROM breakwater_replication;
        """
    )
