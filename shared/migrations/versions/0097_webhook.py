"""Schema webhook: policies, where they send to, what is sent and how that went; and the part that sends."""

from alembic import op

revision = "0097"
down_revision = "0096"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE webhook.policies (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            project_id integer NOT NULL,
            name text NOT NULL,
            description text NOT NULL DEFAULT '',
            event_types text[] NOT NULL,
            enabled boolean NOT NULL DEFAULT false,
            creator text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT uq_policies_project_name UNIQUE (project_id, name)
        );

        CREATE TABLE webhook.targets (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            policy_id integer NOT NULL REFERENCES webhook.policies (id) ON DELETE CASCADE,
            position smallint NOT NULL,
            kind text NOT NULL CHECK (kind IN ('http', 'slack')),
            address text NOT NULL,
            payload_format text NOT NULL CHECK (payload_format IN ('', 'Default', 'CloudEvents')),
            skip_cert_verify boolean NOT NULL DEFAULT false,
            auth_header text,            -- sealed
            signing_secret text,         -- sealed
            failures integer NOT NULL DEFAULT 0,  -- in a row, that speak of the target and not of one delivery
            open_until timestamptz,      -- the circuit breaker is open: nothing is sent before this time
            lease uuid,                  -- whoever sends to it now
            leased_until timestamptz,
            served_at timestamptz,
            CONSTRAINT uq_targets_policy_position UNIQUE (policy_id, position)
        );

        CREATE TABLE webhook.deliveries (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            uid uuid NOT NULL,           -- what the target knows it by, the same at every attempt
            target_id integer NOT NULL REFERENCES webhook.targets (id) ON DELETE CASCADE,
            policy_id integer NOT NULL,
            event_type text NOT NULL,
            trigger text NOT NULL CHECK (trigger IN ('EVENT', 'MANUAL')),
            content_type text NOT NULL,
            body text NOT NULL,
            state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'success', 'error')),
            attempts integer NOT NULL DEFAULT 0,
            message text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            due_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            finished_at timestamptz
        );
        CREATE INDEX ix_deliveries_waiting ON webhook.deliveries (target_id, due_at, id) WHERE state = 'pending';
        CREATE INDEX ix_deliveries_expiring ON webhook.deliveries (expires_at) WHERE state = 'pending';
        CREATE INDEX ix_deliveries_finished ON webhook.deliveries (finished_at) WHERE finished_at IS NOT NULL;
        CREATE INDEX ix_deliveries_target ON webhook.deliveries (target_id);
        CREATE INDEX ix_deliveries_policy ON webhook.deliveries (policy_id, id);
        CREATE INDEX ix_deliveries_policy_type ON webhook.deliveries (policy_id, event_type, id);

        CREATE TABLE webhook.attempts (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            delivery_id bigint NOT NULL REFERENCES webhook.deliveries (id) ON DELETE CASCADE,
            number integer NOT NULL,
            started_at timestamptz NOT NULL,
            finished_at timestamptz NOT NULL,
            succeeded boolean NOT NULL,
            message text NOT NULL,
            request text NOT NULL,       -- head only, secrets masked
            response text NOT NULL       -- cut to its limit, secrets masked
        );
        CREATE INDEX ix_attempts_delivery ON webhook.attempts (delivery_id, id);

        CREATE TABLE webhook.seen (
            event_id uuid PRIMARY KEY,
            seen_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX ix_seen_at ON webhook.seen (seen_at);

        CREATE VIEW directory.repositories AS SELECT project_id, name, created_at FROM core.repositories;
        -- the one item of the configuration that the sending part needs
        CREATE VIEW directory.notification AS
            SELECT coalesce((SELECT value <> 'false' FROM core.configuration WHERE key = 'notification_enable'), true)
                AS enabled;

        GRANT USAGE ON SCHEMA directory, webhook TO breakwater_webhook;
        GRANT SELECT ON directory.projects, directory.repositories, directory.notification TO breakwater_webhook;
        GRANT SELECT, DELETE ON webhook.policies TO breakwater_webhook;
        GRANT SELECT, UPDATE (failures, open_until, lease, leased_until, served_at) ON webhook.targets
            TO breakwater_webhook;
        GRANT SELECT, INSERT, UPDATE, DELETE ON webhook.deliveries TO breakwater_webhook;
        GRANT SELECT, INSERT ON webhook.attempts TO breakwater_webhook;
        GRANT SELECT, INSERT, DELETE ON webhook.seen TO breakwater_webhook;

        GRANT USAGE ON SCHEMA webhook TO breakwater_core;
        GRANT SELECT, INSERT, UPDATE, DELETE ON webhook.policies, webhook.targets TO breakwater_core;
        GRANT SELECT, INSERT, UPDATE ON webhook.deliveries TO breakwater_core;
        GRANT SELECT ON webhook.attempts TO breakwater_core;
        GRANT SELECT ON directory.notification TO breakwater_core;
        """
    )
