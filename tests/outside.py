"""A PostgreSQL outside of every instance: on TCP with TLS, with passwords, and an owner who is no superuser."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psycopg

from compose.local.certificate import make_certificate
from tests.sentences import said
from tests.servers import free_port, memory, postgres_binaries, short_folder, start, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER: Final = "company"
_LOOPBACK: Final = ("127.0.0.1/32", "::1/128")
OWNER_PASSWORD: Final = "p4ssword of: the 'company'"


@dataclass(frozen=True, kw_only=True)
class Outside:
    """The server; the folder's owner may enter by its socket without a password."""

    folder: Path
    port: int
    host: str = "localhost"
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def ca(self) -> Path:
        return self.folder / "tls" / "tls.crt"

    def superuser(self, name: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder / "run"), port=self.port, dbname=name, user="postgres", autocommit=True,
            connect_timeout=5,
        )  # fmt: skip

    def run(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        with self.superuser(name) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def variables(self, name: str = "images", **more: str) -> dict[str, str]:
        """The settings of an instance that uses it."""
        return {
            "BREAKWATER_DATABASE_HOST": self.host, "BREAKWATER_DATABASE_PORT": str(self.port),
            "BREAKWATER_DATABASE_NAME": name, "BREAKWATER_DATABASE_OWNER": OWNER,
            "BREAKWATER_DATABASE_OWNER_PASSWORD": OWNER_PASSWORD, "BREAKWATER_DATABASE_CA": str(self.ca),
        } | more  # fmt: skip


@contextmanager
def outside_postgres(host: str = "localhost", *, clients: tuple[str, ...] = _LOOPBACK) -> Iterator[Outside]:
    """Started, with that owner and no database of his; gone at the end. `clients` are as in pg_hba.conf."""
    with short_folder(parent=memory()) as folder:
        run, data = folder / "run", folder / "data"
        chain, key = make_certificate(folder / "tls", [host], datetime.now(UTC))
        (folder / "tls").chmod(0o755)
        chain.chmod(0o644)
        as_user: list[str | Path] = []
        for made in (run, data):
            made.mkdir()
        own_key = folder / "tls.key"
        shutil.copyfile(key, own_key)
        own_key.chmod(0o600)
        if os.geteuid() == 0:
            as_user = ["runuser", "-u", "postgres", "--"]
            for made in (run, data, own_key):
                shutil.chown(made, "postgres", "postgres")
        programs = postgres_binaries()
        making = [programs / "initdb", "-A", "trust", "--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run([*as_user, *making, data], check=True, capture_output=True, cwd="/")
        (data / "pg_hba.conf").write_text(
            "local all postgres trust\n" + "".join(f"hostssl all all {each} scram-sha-256\n" for each in clients)
        )
        port = free_port()
        command = [
            *as_user, programs / "postgres", "-D", data, "-p", str(port), "-k", run,
            "-c", f"listen_addresses={host}", "-c", "fsync=off", "-c", "max_connections=200",
            "-c", "ssl=on", "-c", f"ssl_cert_file={chain}", "-c", f"ssl_key_file={own_key}",
        ]  # fmt: skip
        process = start(command, log=folder / "log")
        server = Outside(folder=folder, host=host, port=port, process=process)
        try:
            wait_for(lambda: _answers(server), seconds=30, what="PostgreSQL answers")
            words = OWNER_PASSWORD.replace("'", "''")
            of_the_page = {"breakwater_admin": OWNER, "…": words}
            server.run(said("CREATE ROLE breakwater_admin LOGIN CREATEROLE PASSWORD '…'", of_the_page))
            server.run(f"ALTER ROLE {OWNER} CREATEDB")
            yield server
        finally:
            stop(process)


def _answers(server: Outside) -> bool:
    try:
        server.superuser().close()
    except psycopg.OperationalError:
        return False
    return True
