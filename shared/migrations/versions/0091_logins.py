"""Logins: refused ones are told apart from wrong ones, and a directory's users are taken in at their first login."""

from alembic import op

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        -- failures: a credential was compared and is wrong; refused: nothing was compared; reported: told as events
        ALTER TABLE token.login_failures DROP COLUMN reported;
        ALTER TABLE token.login_failures ALTER COLUMN failures SET DEFAULT 0;
        ALTER TABLE token.login_failures ADD COLUMN refused integer NOT NULL DEFAULT 0;
        ALTER TABLE token.login_failures ADD COLUMN reported integer NOT NULL DEFAULT 0;
        CREATE INDEX ix_login_failures_minute ON token.login_failures (minute);

        -- The token mount may add a directory's user and nothing else: an account of the database is never touched,
        -- whatever name the directory answers with. No row: the name belongs to such an account.
        CREATE FUNCTION core.take_in_directory_user(name text, full_name text, mail text, dn text)
            RETURNS TABLE (user_id integer, created boolean)
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
        DECLARE found core.users;
        BEGIN
            IF length(name) NOT BETWEEN 1 AND 255 THEN
                RETURN;
            END IF;
            INSERT INTO core.users (username, realname, email, source, ldap_dn)
                VALUES (name, left(full_name, 255),
                    CASE WHEN mail = '' OR EXISTS (SELECT FROM core.users u WHERE lower(u.email) = lower(mail))
                        THEN NULL ELSE mail END,
                    'ldap', dn)
                ON CONFLICT DO NOTHING RETURNING id INTO user_id;
            IF user_id IS NOT NULL THEN
                created := true;
                RETURN NEXT;
                RETURN;
            END IF;
            SELECT * INTO found FROM core.users u WHERE lower(u.username) = lower(name) AND u.deleted_at IS NULL;
            IF found.source = 'ldap' THEN
                IF found.ldap_dn IS DISTINCT FROM dn THEN
                    UPDATE core.users u SET ldap_dn = dn, updated_at = now() WHERE u.id = found.id;
                END IF;
                user_id := found.id;
                created := false;
                RETURN NEXT;
            END IF;
        END $$;
        REVOKE ALL ON FUNCTION core.take_in_directory_user(text, text, text, text) FROM PUBLIC;
        GRANT USAGE ON SCHEMA core TO breakwater_token;
        GRANT EXECUTE ON FUNCTION core.take_in_directory_user(text, text, text, text)
            TO breakwater_token, breakwater_core;
        """
    )
