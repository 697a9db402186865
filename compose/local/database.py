"""The instance's PostgreSQL: made once, then roles with least rights, the database, migrations, the first password."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from compose.local import outside
from compose.local.accounts import Account, Accounts
from compose.local.broker import refuse_unprepared_broker
from compose.local.credentials import DATABASE_PARTS
from compose.local.site import DATABASE as NAME
from compose.local.site import PORT_OF_SOCKET, Site
from shared.auth.passwords import hash_password
from shared.errors import BreakwaterError, Conflict
from shared.locks import ROLES_LOCK, STORAGE_LOCK
from shared.postgres import connect
from shared.secrets import Secret
from shared.settings import Settings, load_settings

SUPERUSER = "postgres"
PUBLISHED_AGAIN = timedelta(days=1)
"""Before a backup: events of that time are published again after it was restored."""
_INITDB_SECONDS = 120
_TAKEN_OVER = "breakwater_restored"
_PUBLISH_AGAIN: LiteralString = """
    UPDATE events.relay SET published_through = least(published_through, (
        SELECT coalesce(max(sequence), 0) FROM events.log
        WHERE recorded_at < (SELECT max(recorded_at) FROM events.log) - %s
    ))
"""


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


def initdb_command(site: Site, folder: Path, password_file: Path) -> list[str | Path]:
    """What makes the files of an empty database."""
    return [
        site.binaries.postgresql / "initdb", "-D", folder, "-U", SUPERUSER, "-A", "scram-sha-256",
        f"--pwfile={password_file}", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-instructions",
    ]  # fmt: skip


def answers(site: Site) -> bool:
    """Whether the database takes connections."""
    try:
        (outside.connect(site) if site.options.database_host else _connect(site, SUPERUSER)).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def storage_kept(site: Site) -> Iterator[None]:
    """Until the block ends no garbage is collected. Raises Conflict where that is going on."""
    with _administrator(site) as connection:
        held = connection.execute("SELECT pg_try_advisory_lock_shared(%s)", [STORAGE_LOCK]).fetchone()
        if held != (True,):
            raise Conflict("garbage is being collected just now: run this again when that has ended")
        yield


def prepare_database(site: Site) -> str:
    """Roles, database, migrations, the administrator's password. Idempotent; returns the revision.

    Raises Unavailable where the database does not answer.
    """
    from shared.migrations.run import upgrade  # noqa: PLC0415 - half of a verb's start, and few verbs migrate

    if site.options.database_host:
        _prepare_outside(site)
    else:
        _prepare_own(site)
    site.layout.restored_dump.unlink(missing_ok=True)
    settings = owner_settings(site)
    revision = upgrade(settings)
    _give_first_password(site, settings)
    return revision


def _prepare_own(site: Site) -> None:
    with _connect(site, SUPERUSER) as connection:
        for part in DATABASE_PARTS:
            _settle_role(connection, f"breakwater_{part}", Secret.read(_password_file(site, part)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
            if site.layout.restored_dump.exists():
                _take_over(site, connection)
            else:
                _create(connection, NAME)
        _let_in(connection, NAME)


def _prepare_outside(site: Site) -> None:
    with outside.made(site) as connection:
        # of two pods that do this at once one would fail
        connection.execute("SELECT pg_advisory_lock(%s)", [ROLES_LOCK])
        outside.refuse_foreign(site, connection)
        for part in DATABASE_PARTS:
            _settle_role(connection, f"breakwater_{part}", Secret.read(_password_file(site, part)))
            outside.let_go_of_lost(connection, f"breakwater_{part}")
        outside.mark(site, connection)
        _let_in(connection, site.database_name)
        outside.let_owner_build(site, connection)
        if site.layout.restored_dump.exists():
            _fill(site)


def _let_in(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
    for part in DATABASE_PARTS:
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                sql.Identifier(name), sql.Identifier(f"breakwater_{part}")
            )
        )


def owner_settings(site: Site) -> Settings:
    """The settings of the role that owns the schemas."""
    layout = site.layout
    return load_settings(
        home=layout.home, run=layout.run, part="owner", database_host=site.database_host,
        database_port=site.database_port, database_name=site.database_name,
        database_authorities=site.database_authorities,
    )  # fmt: skip


def program_environment(site: Site) -> dict[str, str]:
    """What PostgreSQL's own programs need to reach the database and to be let in; no password stands in a command.

    In our own server they come as its superuser, in one outside as the role that owns all that is ours.
    """
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    if not site.options.database_host:
        return environment | {
            "PGHOST": str(site.database_socket), "PGPORT": str(PORT_OF_SOCKET), "PGUSER": SUPERUSER,
            "PGPASSWORD": _superuser_password(site).reveal(),
        }  # fmt: skip
    found = owner_settings(site).conninfo()
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "sslmode": "PGSSLMODE",
             "sslrootcert": "PGSSLROOTCERT", "connect_timeout": "PGCONNECT_TIMEOUT"}  # fmt: skip
    return environment | {variable: str(found[name]) for name, variable in names.items() if name in found}


def _create(connection: psycopg.Connection, name: str) -> None:
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER breakwater_owner TEMPLATE template0").format(sql.Identifier(name))
    )


def _take_over(site: Site, connection: psycopg.Connection) -> None:
    """Make the database out of the dump of a restore: it has its name only once it is whole.

    The broker of the instance that was backed up is not this one: what may not have reached a consumer is published
    again. Each consumer knows the events of the last days by their ids. Raises DatabaseNotMade.
    """
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(_TAKEN_OVER)))
    _create(connection, _TAKEN_OVER)
    command: list[str | Path] = [
        site.binaries.postgresql / "pg_restore", "--exit-on-error", "--no-password", "--jobs=2",
        "-d", _TAKEN_OVER, site.layout.restored_dump,
    ]  # fmt: skip
    _run(site, command)
    with _connect(site, SUPERUSER, _TAKEN_OVER) as restored:
        restored.execute(_PUBLISH_AGAIN, [PUBLISHED_AGAIN])
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(_TAKEN_OVER), sql.Identifier(NAME))
    )


def publish_again(site: Site) -> None:
    """Let the relay give the broker the events of the last day once more; each consumer knows those that it had."""
    with connect(owner_settings(site)) as connection:
        connection.execute(_PUBLISH_AGAIN, [PUBLISHED_AGAIN])


def settle_broker(site: Site) -> None:
    """Where the broker is another one than the last time, publish again: that is known by its nodes.

    Raises ConfigurationError or Unavailable where one outside is new and cannot be used yet.
    """
    options = site.options
    named = {"broker": f"{options.amqp_host} {options.amqp_vhost}" if options.amqp_host else " ".join(site.brokers)}
    with connect(owner_settings(site)) as connection:
        if connection.execute("SELECT 1 FROM events.relay WHERE broker <> %(broker)s", named).fetchone() is None:
            return
        if options.amqp_host:
            refuse_unprepared_broker(site)
        with connection.transaction():
            moved = connection.execute("UPDATE events.relay SET broker = %(broker)s WHERE broker <> %(broker)s", named)
            if moved.rowcount:
                connection.execute(_PUBLISH_AGAIN, [PUBLISHED_AGAIN])


def _fill(site: Site) -> None:
    """The same in a database outside, which is filled as a whole or not at all. Raises Conflict, DatabaseNotMade."""
    with connect(owner_settings(site)) as connection:
        outside.refuse_filled(site, connection)
        _run(site, [
            site.binaries.postgresql / "pg_restore", "--exit-on-error", "--no-password", "--single-transaction",
            "-d", site.database_name, site.layout.restored_dump,
        ])  # fmt: skip
        connection.execute(_PUBLISH_AGAIN, [PUBLISHED_AGAIN])


def _run(site: Site, command: list[str | Path]) -> None:
    done = subprocess.run(command, env=program_environment(site), capture_output=True, text=True, check=False)
    if done.returncode:
        raise DatabaseNotMade(f"the backup's database cannot be restored: {(done.stderr or done.stdout).strip()}")


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
    command = initdb_command(site, folder, password_file)
    done = accounts.run(Account.DATA, command, folder=folder, seconds=_INITDB_SECONDS)
    if done.returncode:
        raise DatabaseNotMade(f"initdb could not make the database: {(done.stderr or done.stdout).strip()}")


def _administrator(site: Site) -> psycopg.Connection:
    """Whoever may do most in the database. Raises psycopg.OperationalError."""
    return outside.connect(site) if site.options.database_host else _connect(site, SUPERUSER, NAME)


def _connect(site: Site, role: str, name: str = "postgres") -> psycopg.Connection:
    return psycopg.connect(
        host=str(site.database_socket), port=PORT_OF_SOCKET, dbname=name, user=role,
        password=_superuser_password(site).reveal(), autocommit=True, connect_timeout=5,
    )  # fmt: skip


def _superuser_password(site: Site) -> Secret:
    return Secret.read(site.layout.secrets / "postgres" / "superuser-password")


def _password_file(site: Site, part: str) -> Path:
    return site.layout.secrets / part / "database-password"
