"""The audit writer takes the chain's head and learns what is recorded already in one round trip."""

from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- the wait is shorter than a statement's time: a long purge is waited out, and counts against no event
        CREATE FUNCTION audit.take_head(ids uuid[])
            RETURNS TABLE (sequence bigint, recorded_at timestamptz, mac bytea, held uuid[])
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '3s' AS $$
        BEGIN
            SELECT h.sequence, h.recorded_at, h.mac INTO STRICT sequence, recorded_at, mac
                FROM audit.head h WHERE h.id = 1 FOR UPDATE;
            -- a statement of its own: it sees what others committed while this one waited for the head
            SELECT coalesce(array_agg(c.event_id), '{}') INTO held FROM audit.chain c WHERE c.event_id = ANY (ids);
            RETURN NEXT;
        END $$;
        REVOKE ALL ON FUNCTION audit.take_head(uuid[]) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION audit.take_head(uuid[]) TO breakwater_audit;
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION audit.take_head(uuid[])")
