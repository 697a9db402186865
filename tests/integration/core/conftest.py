"""The core mount in this process, on a migrated database that all tests of a module share."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from falcon.testing import TestClient

from gateway.core.app import build
from shared import logging
from shared.auth.login import build_login
from shared.auth.passwords import hash_password
from shared.db import engine
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.unchanged import Unchanged
from tests.servers import Postgres


@pytest.fixture(scope="session", autouse=True)
def _logging() -> None:
    logging.configure("core")


@pytest.fixture(scope="module")
def core_database(postgres_server: Postgres, migrated_template: str) -> Iterator[Database]:
    name = postgres_server.new_database(migrated_template)
    key = postgres_server.home / "secrets" / "config-key"
    if not key.exists():
        key.write_text(Fernet.generate_key().decode() + "\n")
    credential = postgres_server.home / "secrets" / "metadata" / "system-credential"
    if not credential.exists():
        credential.write_text("the credential of a test\n")
    database = Database(postgres_server, name)
    with database.superuser() as connection:
        connection.execute("UPDATE core.users SET password_hash = %s WHERE id = 1", (hash_password(ADMIN.password),))
    yield database
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def outbound_allow() -> str:
    """What the operator allows beyond the rules; modules with a server on loopback have their own."""
    return ""


@pytest.fixture(scope="module")
def api(core_database: Database, outbound_allow: str) -> Iterator[Api]:
    settings = core_database.settings("core", outbound_allow=outbound_allow)
    bind = engine(settings, pool_size=12)
    login = build_login(settings, bind)
    unchanged = Unchanged(core_database)
    yield Api(TestClient(build(settings, bind, login)), core_database, unchanged)
    unchanged.close()
    login.ldap.close()
    bind.dispose()
