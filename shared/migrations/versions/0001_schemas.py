"""The schemas, and who may enter them."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE SCHEMA core;
        CREATE SCHEMA directory;
        CREATE SCHEMA events;
        CREATE SCHEMA audit;
        CREATE SCHEMA token;
        CREATE SCHEMA gateway;
        CREATE SCHEMA webhook;
        CREATE SCHEMA replication;
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        """
    )
