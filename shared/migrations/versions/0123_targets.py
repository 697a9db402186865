"""Targets of webhooks change places, are sent what waits in the form of then, and are known as quick or not."""

from alembic import op

revision = "0123"
down_revision = "0122"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- looked at when all have moved
        ALTER TABLE webhook.targets DROP CONSTRAINT uq_targets_policy_position;
        ALTER TABLE webhook.targets ADD CONSTRAINT uq_targets_policy_position UNIQUE (policy_id, position)
            DEFERRABLE INITIALLY DEFERRED;

        -- what CloudEvents tell of an event, and Harbor's own form does not
        ALTER TABLE webhook.deliveries ADD COLUMN event_id uuid, ADD COLUMN request_id text NOT NULL DEFAULT '';
        -- what was sent, where the delivery has got another form since
        ALTER TABLE webhook.attempts ADD COLUMN body text;
        GRANT UPDATE (body) ON webhook.attempts TO breakwater_webhook;

        -- whether the last attempt was: any worker may serve it then
        ALTER TABLE webhook.targets ADD COLUMN quick boolean NOT NULL DEFAULT false;
        GRANT UPDATE (quick) ON webhook.targets TO breakwater_webhook;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE webhook.targets DROP COLUMN quick;
        REVOKE UPDATE (body) ON webhook.attempts FROM breakwater_webhook;
        ALTER TABLE webhook.attempts DROP COLUMN body;
        ALTER TABLE webhook.deliveries DROP COLUMN event_id, DROP COLUMN request_id;
        ALTER TABLE webhook.targets DROP CONSTRAINT uq_targets_policy_position;
        ALTER TABLE webhook.targets ADD CONSTRAINT uq_targets_policy_position UNIQUE (policy_id, position);
        """
    )
