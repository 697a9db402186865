"""The instance's PostgreSQL: made once, then roles with least rights, the database, migrations, the first password."""

import shutil
from pathlib import Path

import psycopg
from psycopg import sql

from compose.local.accounts import Account, Accounts
from compose.local.credentials import DATABASE_PARTS
from compose.local.site import PORT_OF_SOCKET, Site
from shared.auth.passwords import hash_password
from shared.errors import BreakwaterError
from shared.migrations.run import upgrade
from shared.postgres import connect
from shared.secrets import Secret
from shared.settings import Settings, load_settings

NAME = "breakwater"
SUPERUSER = "postgres"
_INITDB_SECONDS = 120


class DatabaseNotMade(BreakwaterError):
    """initdb failed; the sentence holds what it said."""

    code = "DATABASE_NOT_MADE"


def make_database(site: Site, accounts: Accounts) -> None:
    """Create the data folder where there is none. A crash leaves nothing that would be taken for a database."""
    target = site.layout.database
    if target.joinpath("PG_VERSION").exists():
        return
    fresh = target.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    accounts.give(fresh, Account.DATA, 0o700)
    password_file = site.layout.work / "superuser-password"
    password_file.touch(mode=0o600)
    try:
        password_file.write_text(_superuser_password(site).reveal() + "\n", encoding="utf-8")
        accounts.give(password_file, Account.DATA, 0o600)
        _initdb(site, accounts, fresh, password_file)
    finally:
        password_file.unlink(missing_ok=True)
    fresh.rename(target)


def answers(site: Site) -> bool:
    """Whether the database takes connections."""
    try:
        _connect(site, SUPERUSER).close()
    except psycopg.OperationalError:
        return False
    return True


def prepare_database(site: Site) -> str:
    """Roles, database, migrations, the administrator's password. Idempotent; returns the revision.

    Raises Unavailable where the database does not answer.
    """
    with _connect(site, SUPERUSER) as connection:
        for part in DATABASE_PARTS:
            _settle_role(connection, f"breakwater_{part}", Secret.read(_password_file(site, part)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER breakwater_owner TEMPLATE template0").format(sql.Identifier(NAME))
            )
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(NAME)))
        for part in DATABASE_PARTS:
            connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                    sql.Identifier(NAME), sql.Identifier(f"breakwater_{part}")
                )
            )
    settings = owner_settings(site)
    revision = upgrade(settings)
    _give_first_password(site, settings)
    return revision


def owner_settings(site: Site) -> Settings:
    """The settings of the role that owns the schemas."""
    layout = site.layout
    return load_settings(home=layout.home, run=layout.run, part="owner", database_port=PORT_OF_SOCKET)


def _give_first_password(site: Site, settings: Settings) -> None:
    """The administrator's password as a hash, where the account has none yet."""
    with connect(settings) as connection:
        if connection.execute("SELECT 1 FROM core.users WHERE id = 1 AND password_hash IS NULL").fetchone():
            hashed = hash_password(Secret.read(site.layout.admin_password).reveal())
            connection.execute("UPDATE core.users SET password_hash = %s WHERE id = 1", [hashed])


def _settle_role(connection: psycopg.Connection, role: str, password: Secret) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
    # only a verifier goes over the wire and into any log
    verifier = connection.pgconn.encrypt_password(password.reveal().encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))


def _initdb(site: Site, accounts: Accounts, folder: Path, password_file: Path) -> None:
    command: list[str | Path] = [
        site.binaries.postgresql / "initdb", "-D", folder, "-U", SUPERUSER, "-A", "scram-sha-256",
        f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions",
    ]  # fmt: skip
    done = accounts.run(Account.DATA, command, folder=folder, seconds=_INITDB_SECONDS)
    if done.returncode:
        raise DatabaseNotMade(f"initdb could not make the database: {(done.stderr or done.stdout).strip()}")


def _connect(site: Site, role: str) -> psycopg.Connection:
    return psycopg.connect(
        host=str(site.layout.run), port=PORT_OF_SOCKET, dbname="postgres", user=role,
        password=_superuser_password(site).reveal(), autocommit=True, connect_timeout=5,
    )  # fmt: skip


def _superuser_password(site: Site) -> Secret:
    return Secret.read(site.layout.secrets / "postgres" / "superuser-password")


def _password_file(site: Site, part: str) -> Path:
    return site.layout.secrets / part / "database-password"
