"""Logging in where the directory is on an address that connections may not go to, for want of the operator's word."""

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import psycopg
import pytest

from shared.secrets import Sealer, Secret
from shared.settings import Settings
from tests import factories
from tests.integration.conftest import Database
from tests.integration.core import company
from tests.integration.token.mount import Mount, prepare_secrets
from tests.slapd import Directory, slapd

Rows = psycopg.Connection[Any]
PULL = "repository:library/app:pull"
ALICE = "Al1ce-of-the-directory"
_numbers = count(1)


@pytest.fixture(scope="module")
def token_settings(token_database: Database) -> Settings:
    """Nothing is allowed beyond the rules."""
    settings = token_database.settings("token")
    prepare_secrets(settings)
    return settings


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with slapd({"alice": ALICE}) as directory:
        yield directory


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"])
def test_a_directory_on_a_closed_address_is_a_broken_one(
    mount: Mount, rows: Rows, directory: Directory, host: str
) -> None:
    local = f"local{next(_numbers)}"
    factories.user(rows, local)
    sealer = Sealer.read(mount.settings.secrets / "config-key")
    url = directory.url.replace("127.0.0.1", host)
    password = {"sealed": sealer.seal(Secret(directory.reader_password))}
    values = company.settings_of(directory) | {"ldap_url": url, "auth_mode": "ldap_auth"}
    factories.configure(rows, ldap_search_password=password, **values)
    begun = time.monotonic()
    answer = mount.get("alice", PULL, password=ALICE)
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"]
    assert host not in answer.text
    assert mount.get(local, PULL).status == 200
    assert time.monotonic() - begun < 2
    assert rows.execute("SELECT FROM core.users WHERE username = 'alice'").fetchall() == []
    (told,) = [line for line in mount.log.read_text().splitlines() if "ldap.server_failed" in line and url in line]
    assert f"requests may not go to the address of {host.strip('[]')} unless BREAKWATER_OUTBOUND_ALLOW" in told
