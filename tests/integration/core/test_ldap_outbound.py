"""What the API does with a directory on an address that connections may not go to, unless the operator says so."""

import socket
from collections.abc import Iterator

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.integration.conftest import Database
from tests.integration.core import company
from tests.integration.core.people import ADMIN, Api, Caller, code
from tests.slapd import LOOPBACK, Directory, slapd

CLOSED = ("127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254")
PERSON = Caller(name="p000", password=company.PEOPLE["p000"])


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with slapd(company.PEOPLE, company.GROUPS) as directory:
        yield directory


@pytest.fixture
def allowing(core_database: Database) -> Iterator[Api]:
    """The same API, started by an operator who allows loopback."""
    settings = core_database.settings("core", outbound_allow=LOOPBACK)
    bind = engine(settings, pool_size=2)
    login = build_login(settings, bind)
    yield Api(TestClient(build(settings, bind, login)), core_database)
    login.ldap.close()
    bind.dispose()


def _body(url: str, directory: Directory) -> dict[str, object]:
    return {
        "ldap_url": url, "ldap_search_dn": directory.reader, "ldap_base_dn": directory.people_base,
        "ldap_search_password": directory.reader_password, "ldap_uid": "uid", "ldap_connection_timeout": 1,
    }  # fmt: skip


def _sentence(url: str, host: str) -> str:
    return (
        f"{url}: requests may not go to the address of {host.strip('[]')}"
        " unless BREAKWATER_OUTBOUND_ALLOW names its network"
    )


@pytest.mark.parametrize("host", CLOSED)
def test_a_trial_tells_of_an_address_that_is_closed(api: Api, directory: Directory, host: str) -> None:
    url = directory.url.replace("127.0.0.1", host)
    company.configure(api, directory, ldap_url=url)
    for body in (_body(url, directory), None):
        answer = api.send("POST", "/ldap/ping", ADMIN, body)
        assert (answer.status_code, answer.json) == (200, {"message": _sentence(url, host)})


def test_no_connection_is_made_to_a_closed_address(api: Api, directory: Directory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.3)
        for scheme, host in (("ldap", "127.0.0.1"), ("ldaps", "localhost")):
            url = f"{scheme}://{host}:{listening.getsockname()[1]}"
            answer = api.send("POST", "/ldap/ping", ADMIN, _body(url, directory))
            assert answer.json == {"message": _sentence(url, host)}
        with pytest.raises(TimeoutError):
            listening.accept()


@pytest.mark.parametrize("host", CLOSED)
def test_a_configured_directory_on_a_closed_address_is_a_broken_one(api: Api, directory: Directory, host: str) -> None:
    url = directory.url.replace("127.0.0.1", host)
    company.configure(api, directory, ldap_url=url)
    for caller, method, path, body in (
        (PERSON, "GET", "/users/current", None),
        (ADMIN, "GET", "/ldap/users/search", None),
        (ADMIN, "GET", "/ldap/groups/search", None),
        (ADMIN, "POST", "/ldap/users/import", {"ldap_uid_list": ["p000"]}),
        (ADMIN, "POST", "/usergroups", {"group_type": 1, "ldap_group_dn": directory.group("team00")}),
    ):
        answer = api.send(method, path, caller, body)
        assert (answer.status_code, code(answer)) == (503, "UNAVAILABLE"), path
        assert host not in answer.text
    with api.database.superuser() as rows:
        assert rows.execute("SELECT FROM core.users WHERE source = 'ldap'").fetchall() == []
        assert rows.execute("SELECT FROM core.user_groups").fetchall() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_the_operator_allows_is_asked(allowing: Api, directory: Directory, host: str) -> None:
    url = directory.url.replace("127.0.0.1", host)
    company.configure(allowing, directory, ldap_url=url)
    for body in (_body(url, directory), None):
        assert allowing.send("POST", "/ldap/ping", ADMIN, body).json == {"success": True}
    assert len(allowing.get("/ldap/users/search?username=p000").json) == 1
    assert allowing.get("/users/current", PERSON).json["username"] == "p000"
