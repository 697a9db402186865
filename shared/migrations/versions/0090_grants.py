"""Who may do what: least rights for each process's role.

The roles themselves are made by the set-up, as they carry passwords.
"""

from alembic import op

revision = "0090"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        GRANT USAGE ON SCHEMA directory
            TO breakwater_token, breakwater_core, breakwater_events, breakwater_intake, breakwater_metadata;
        GRANT SELECT ON ALL TABLES IN SCHEMA directory
            TO breakwater_token, breakwater_core, breakwater_events, breakwater_metadata;
        GRANT SELECT ON directory.projects TO breakwater_intake;

        GRANT USAGE ON SCHEMA events TO breakwater_token, breakwater_core, breakwater_events, breakwater_intake,
            breakwater_relay, breakwater_audit, breakwater_metadata, breakwater_replication;

        -- whoever changes something writes the outbox in the same transaction
        GRANT INSERT ON events.outbox TO breakwater_token, breakwater_core, breakwater_events, breakwater_intake,
            breakwater_audit, breakwater_metadata, breakwater_replication;

        GRANT USAGE ON SCHEMA token TO breakwater_token, breakwater_core, breakwater_events;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA token TO breakwater_token;
        GRANT SELECT (id, user_id, client_id, address, created_at, used_at, expires_at, revoked_at),
            UPDATE (revoked_at) ON token.refresh_tokens TO breakwater_core;
        GRANT SELECT, INSERT, UPDATE ON token.login_failures TO breakwater_core, breakwater_events;

        GRANT USAGE ON SCHEMA core TO breakwater_core, breakwater_metadata;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA core TO breakwater_core;
        GRANT SELECT ON core.projects TO breakwater_metadata;
        GRANT UPDATE (storage_used, repository_count, artifact_count) ON core.projects TO breakwater_metadata;
        GRANT SELECT, INSERT, UPDATE, DELETE ON core.repositories, core.artifacts, core.artifact_references,
            core.artifact_blobs, core.project_blobs, core.tags, core.seen, core.reconciliation
            TO breakwater_metadata;

        GRANT SELECT, INSERT, UPDATE ON events.expected TO breakwater_core;
        GRANT SELECT, UPDATE, DELETE ON events.expected TO breakwater_metadata;
        GRANT SELECT, UPDATE ON events.expected TO breakwater_intake;
        GRANT SELECT, INSERT ON events.seen TO breakwater_intake;
        GRANT SELECT, INSERT ON events.parked TO breakwater_intake;

        GRANT SELECT, DELETE ON events.outbox TO breakwater_relay;
        GRANT SELECT, INSERT ON events.log TO breakwater_relay;
        GRANT SELECT, UPDATE ON events.relay TO breakwater_relay;
        GRANT SELECT, DELETE ON events.seen TO breakwater_relay;
        GRANT EXECUTE ON FUNCTION events.prepare_log(integer), events.trim_log(integer) TO breakwater_relay;

        GRANT SELECT ON events.log, events.relay TO breakwater_events;

        GRANT USAGE ON SCHEMA audit TO breakwater_audit, breakwater_core;
        GRANT SELECT ON audit.records, audit.chain, audit.head, audit.anchors, audit.tallies TO breakwater_audit;
        GRANT EXECUTE ON FUNCTION audit.prepare(timestamptz), audit.lock_head(), audit.append(jsonb),
            audit.purge(bigint, timestamptz, timestamptz, bytea) TO breakwater_audit;
        GRANT SELECT ON audit.records, audit.tallies TO breakwater_core;

        GRANT USAGE ON SCHEMA gateway TO breakwater_core;
        """
    )
