"""Whoever fills the outbox wakes the relay only where it sleeps: each NOTIFY wakes every listener of the database."""

from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- the relay holds this lock while it is awake; the lock manager tells at once, whatever a snapshot shows
        CREATE OR REPLACE FUNCTION events.notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF pg_catalog.pg_try_advisory_xact_lock_shared(7302013) THEN
                NOTIFY breakwater_outbox;
            END IF;
            RETURN NULL;
        END $$;
        """
    )


def downgrade() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION events.notify_outbox() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NOTIFY breakwater_outbox; RETURN NULL; END $$;
        """
    )
