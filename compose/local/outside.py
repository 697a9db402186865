"""A PostgreSQL outside: its owner's password, the roles that are made there, and what is refused of it.

Roles are the whole server's, with fixed names. So one server serves one instance, which marks them as its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from compose.local.layout import Layout
from compose.local.options import Options
from compose.local.site import AUTHORITIES, Site
from shared.errors import ConfigurationError, Conflict, Unavailable
from shared.secrets import Secret, write_secret
from shared.settings import tls_to_database

PASSWORD = "database-owner-password"  # noqa: S105 - a file's name
_ANYWHERE = "postgres"
_OLDEST = 15_00_00
_BY_BYTES = frozenset({"C", "POSIX", "C.UTF-8", "C.utf8"})
LOST = {
    "tcp_keepalives_idle": "10s", "tcp_keepalives_interval": "5s", "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
}  # fmt: skip
"""By these the server knows within half a minute that a client's machine is gone, and lets go of its locks: else it
takes hours, as nobody has told it."""
_FACTS = """
    SELECT current_setting('server_version_num')::int, pg_encoding_to_char(encoding), datcollate,
        pg_has_role(current_user, datdba, 'MEMBER'),
        (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user)
    FROM pg_database WHERE datname = current_database()
"""


def refuse_left_behind(layout: Layout, options: Options) -> None:
    """What an instance knows is never left behind in one of the two places. Raises ConfigurationError."""
    own = layout.database.joinpath("PG_VERSION").exists()
    if not options.database_host:
        if _file(layout).exists() and not own and not layout.restored_dump.exists():
            raise ConfigurationError(
                "the database of this instance is one outside: take a backup, and restore it into a new home"
                " with an empty BREAKWATER_DATABASE_HOST"
            )
    elif own:
        raise ConfigurationError(
            f"this instance has a database of its own in {layout.database}: take a backup, and restore it into a new"
            " home with BREAKWATER_DATABASE_HOST"
        )


def refuse_unusable_database(layout: Layout, options: Options) -> None:
    """What can be told to be wrong before anything is touched. Raises ConfigurationError, Unavailable."""
    refuse_left_behind(layout, options)
    if not options.database_host:
        return
    if not options.database_owner:
        raise ConfigurationError("BREAKWATER_DATABASE_HOST needs BREAKWATER_DATABASE_OWNER: who owns that database")
    if options.database_ca and not options.database_ca.is_file():
        raise ConfigurationError(f"BREAKWATER_DATABASE_CA is not valid: there is no file {options.database_ca}")
    password = _password(layout, options)
    try:
        _connect(options, password, options.database_name).close()
    except psycopg.OperationalError as error:
        if not _is_missing(error, options.database_name):
            raise Unavailable(_refusal(options, error)) from error


def keep_owner(site: Site) -> None:
    """Lay the owner's password where `up` finds it the next time, and the authorities where every part does."""
    layout, options = site.layout, site.options
    if not options.database_host:
        _file(layout).unlink(missing_ok=True)
        return
    write_secret(_file(layout), f"{_password(layout, options).reveal()}\n")
    lay_authorities(options.database_ca, layout.conf / AUTHORITIES)


def lay_authorities(given: Path | None, target: Path) -> None:
    """Copy them to where every part may read them; without any there are none."""
    if given is None:
        target.unlink(missing_ok=True)
    elif given != target:
        beside = target.with_name(f".{target.name}")
        beside.write_bytes(given.read_bytes())
        beside.chmod(0o644)
        beside.replace(target)


def connect(site: Site, name: str | None = None) -> psycopg.Connection:
    """As the owner, in autocommit mode. Raises psycopg.OperationalError."""
    return _connect(site.options, _password(site.layout, site.options), name or site.database_name)


@contextmanager
def made(site: Site) -> Iterator[psycopg.Connection]:
    """The database, made where there is none, as its owner. Raises ConfigurationError, Unavailable."""
    try:
        connection = connect(site)
    except psycopg.OperationalError as error:
        if not _is_missing(error, site.database_name):
            raise Unavailable(_refusal(site.options, error)) from error
        _make(site)
        connection = connect(site)
    with connection:
        yield connection


def refuse_foreign(site: Site, connection: psycopg.Connection) -> None:
    """A database or an owner that will not do, or roles that are another instance's. Raises ConfigurationError."""
    name, owner = site.database_name, site.options.database_owner
    version, encoding, collation, owns, makes_roles = connection.execute(_FACTS).fetchone() or (0, "", "", False, False)
    if version < _OLDEST:
        raise ConfigurationError(f"PostgreSQL {version // 10_000} is too old: 15 is the oldest that is used")
    if encoding != "UTF8" or collation not in _BY_BYTES:
        raise ConfigurationError(
            f"the database {name} is in {encoding} and sorts by {collation}: make it with"
            f" CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
        )
    if not owns:
        raise ConfigurationError(f"the database {name} is not {owner}'s: ALTER DATABASE {name} OWNER TO {owner}")
    if not makes_roles:
        raise ConfigurationError(f"{owner} may not make roles: ALTER ROLE {owner} CREATEROLE")
    marked = connection.execute(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'breakwater_owner'"
    ).fetchone()
    if marked is not None and marked[0] != _mark(site):
        raise ConfigurationError(
            f"the roles breakwater_… at {site.database_host} are another instance's: use a server of its own, or drop"
            " them where that instance is gone"
        )


def mark(site: Site, connection: psycopg.Connection) -> None:
    """Say whose the roles are."""
    connection.execute(sql.SQL("COMMENT ON ROLE breakwater_owner IS {}").format(sql.Literal(_mark(site))))


def let_go_of_lost(connection: psycopg.Connection, role: str) -> None:
    """Have each later session of this role end soon after its client's machine is gone."""
    for name, value in LOST.items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value))
        )


def let_owner_build(site: Site, connection: psycopg.Connection) -> None:
    """Our own owner makes all schemas; of the database itself it owns nothing."""
    database = sql.Identifier(site.database_name)
    connection.execute(sql.SQL("GRANT CREATE, TEMPORARY ON DATABASE {} TO breakwater_owner").format(database))
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO breakwater_owner")


def refuse_filled(site: Site, connection: psycopg.Connection) -> None:
    """A backup goes into an empty database alone. Raises Conflict."""
    found = connection.execute("SELECT to_regnamespace('core') IS NOT NULL").fetchone()
    if found == (True,):
        raise Conflict(
            f"the database {site.database_name} at {site.database_host} is not empty, and a backup is to be restored:"
            " name another one by BREAKWATER_DATABASE_NAME"
        )


def _make(site: Site) -> None:
    name = site.database_name
    try:
        with connect(site, _ANYWHERE) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'").format(
                    sql.Identifier(name)
                )
            )
    except psycopg.Error as error:
        raise ConfigurationError(
            f"there is no database {name} at {site.database_host}, and {site.options.database_owner} may not make it:"
            f" CREATE DATABASE {name} OWNER {site.options.database_owner} TEMPLATE template0 ENCODING 'UTF8'"
            " LOCALE 'C.UTF-8'"
        ) from error


def _connect(options: Options, password: Secret, name: str) -> psycopg.Connection:
    return psycopg.connect(
        host=options.database_host, port=options.database_port, dbname=name, user=options.database_owner,
        password=password.reveal(), autocommit=True, connect_timeout=5, application_name="breakwater up",
        options=" ".join(f"-c {setting}={value}" for setting, value in LOST.items()),
        **tls_to_database(options.database_ca),  # type: ignore[arg-type]  # psycopg types its keywords one by one
    )  # fmt: skip


def _is_missing(error: psycopg.OperationalError, name: str) -> bool:
    """Whether the server is well and has no such database; libpq tells it by words alone."""
    return f'database "{name}" does not exist' in str(error)


def _refusal(options: Options, error: psycopg.OperationalError) -> str:
    """One sentence; what libpq says is not passed on as it is."""
    where, said = f"the database at {options.database_host}:{options.database_port}", str(error)
    if "password authentication failed" in said:
        return f"{where} does not accept BREAKWATER_DATABASE_OWNER and its password"
    if "certificate" in said or "SSL" in said:
        return f"{where} does not prove its name by a certificate of BREAKWATER_DATABASE_CA"
    if "no pg_hba.conf entry" in said:
        return f"{where} has no entry in its pg_hba.conf that lets {options.database_owner} in from here"
    return f"{where} does not answer"


def _mark(site: Site) -> str:
    return f"breakwater {site.layout.instance_id.read_text(encoding='ascii').strip()}"


def _file(layout: Layout) -> Path:
    return layout.secrets / "owner" / PASSWORD


def _password(layout: Layout, options: Options) -> Secret:
    given = options.database_owner_password
    if given is not None:
        return Secret(given.get_secret_value())
    try:
        return Secret.read(_file(layout))
    except ConfigurationError as error:
        raise ConfigurationError(
            "BREAKWATER_DATABASE_HOST needs BREAKWATER_DATABASE_OWNER_PASSWORD: it was never given"
        ) from error
