"""Schema directory: what several processes may read of core, as views."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE VIEW directory.users AS
            SELECT id, username, lower(username) AS username_key, email, source, password_hash, ldap_dn, sysadmin,
                   disabled, credential_version
            FROM core.users WHERE deleted_at IS NULL;
        CREATE VIEW directory.projects AS
            SELECT id, name, public, storage_limit, storage_used, created_at
            FROM core.projects WHERE deleted_at IS NULL;
        CREATE VIEW directory.memberships AS
            SELECT m.project_id, m.user_id, m.role_id FROM core.members m;
        CREATE VIEW directory.robots AS
            SELECT r.id, r.name, r.project_id, r.secret_hash, r.permissions, r.expires_at, r.disabled,
                   r.credential_version
            FROM core.robots r;
        CREATE VIEW directory.configuration AS SELECT key, value FROM core.configuration;
        """
    )
