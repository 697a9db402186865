"""People of a real directory, one that does not answer, and everybody else meanwhile."""

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from shared.secrets import Sealer, Secret
from tests import factories
from tests.integration.token.mount import Mount
from tests.servers import free_port
from tests.slapd import Directory, slapd

Rows = psycopg.Connection[Any]
PULL = "repository:library/app:pull"
ALICE, ADMIN, CAROL = "Al1ce-of-the-directory", "Adm1n-of-the-directory", "Car0l-of-the-directory"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with slapd({"alice": ALICE, "admin": ADMIN, "carol": CAROL, "dave": "D4ve-of-the-directory"}) as directory:
        yield directory


@pytest.fixture(autouse=True)
def configured(mount: Mount, rows: Rows, directory: Directory) -> None:
    """The directory as an administrator sets it up; each test begins with it."""
    sealer = Sealer.read(mount.settings.secrets / "config-key")
    factories.configure(
        rows,
        auth_mode="ldap_auth",
        ldap_url=directory.url,
        ldap_base_dn=directory.base,
        ldap_uid="uid",
        ldap_filter="(objectClass=inetOrgPerson)",
        ldap_scope=2,
        ldap_timeout=2,
        ldap_search_dn=directory.reader,
        ldap_search_password={"sealed": sealer.seal(Secret(directory.reader_password))},
    )


@contextmanager
def _silent() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


def _account(rows: Rows, name: str) -> list[tuple[Any, ...]]:
    return rows.execute("SELECT id, source, realname, email FROM core.users WHERE username = %s", (name,)).fetchall()


def test_the_first_login_makes_the_account_and_the_second_finds_it(mount: Mount, rows: Rows) -> None:
    assert mount.get("alice", password=ALICE).status == 200
    ((user_id, source, realname, email),) = _account(rows, "alice")
    assert (source, realname, email) == ("ldap", "Alice", "alice@example.test")
    assert mount.get("alice", PULL, password=ALICE).granted == [("library/app", {"pull"})]
    created = [event for event in mount.events("user.created") if event["subject"] == "alice"]
    assert [event["data"]["user_id"] for event in created] == [user_id]
    (logged_in,) = [event for event in mount.events("user.logged_in") if event["actor"] == "alice"]
    assert logged_in["data"]["method"] == "ldap"


@pytest.mark.parametrize("written", ["Carol", "CAROL", "carol ", " carol"])
def test_a_name_written_otherwise_is_the_same_account(mount: Mount, rows: Rows, written: str) -> None:
    assert mount.get(written, PULL, password=CAROL).claims["sub"] == "carol"
    assert len(_account(rows, "carol")) == 1


def test_two_first_logins_at_once_make_one_account(mount: Mount, rows: Rows) -> None:
    password = "D4ve-of-the-directory"
    with ThreadPoolExecutor(4) as threads:
        names = ("dave", "Dave", "DAVE", "dave ")
        statuses = list(threads.map(lambda name: mount.get(name, PULL, password=password).status, names))
    assert statuses == [200] * 4
    assert len(_account(rows, "dave")) == 1


@pytest.mark.parametrize("name", ["admin", "admin ", "ADMIN"])
def test_a_directorys_admin_is_not_ours(mount: Mount, rows: Rows, name: str) -> None:
    rows.execute("UPDATE core.users SET password_hash = %s WHERE id = 1", (factories.hashed(factories.PASSWORD),))
    assert mount.get(name, PULL, password=ADMIN).status == 401
    assert mount.get("admin", "registry:catalog:*").granted == [("catalog", {"*"})]


@pytest.mark.parametrize("password", ["", " ", "wrong", ALICE.lower()])
def test_no_other_password_opens_an_account(mount: Mount, password: str) -> None:
    assert mount.get("alice", PULL, password=password, address="192.0.2.50").status == 401


@pytest.mark.parametrize(
    "name",
    ["*", "a*", "*)(uid=*", "admin)(&", "alice)(|(uid=*", "ali\0ce", "alice\\", "uid=alice,ou=people", "ali,ce", "ä"],
)
def test_a_name_made_to_break_the_search_logs_nobody_in_and_stops_nobody(mount: Mount, name: str) -> None:
    assert mount.get(name, PULL, password=ALICE, address="192.0.2.51").status == 401
    assert mount.get("alice", PULL, password=ALICE).status == 200


def test_who_the_filter_leaves_out_is_unknown(mount: Mount, rows: Rows) -> None:
    factories.configure(rows, ldap_filter="(uid=carol)")
    assert mount.get("ALICE", PULL, password=ALICE, address="192.0.2.52").status == 401
    assert mount.get("caroL", PULL, password=CAROL).status == 200


def test_a_disabled_account_of_the_directory_gets_nothing(mount: Mount, rows: Rows) -> None:
    assert mount.get("alice", PULL, password=ALICE).status == 200
    rows.execute("UPDATE core.users SET disabled = true WHERE username = 'alice'")
    assert mount.get("alice", PULL, password=ALICE).status == 401
    rows.execute("UPDATE core.users SET disabled = false WHERE username = 'alice'")
    assert mount.get("alice", PULL, password=ALICE).status == 200


def test_people_of_the_directory_get_no_refresh_token(mount: Mount) -> None:
    assert "refresh_token" not in mount.get("alice", password=ALICE, offline_token="true").json


def test_robots_and_their_secrets_are_not_shown_to_the_directory(mount: Mount, rows: Rows) -> None:
    with _silent() as port:
        factories.configure(rows, ldap_url=f"ldap://127.0.0.1:{port}")
        begun = time.monotonic()
        assert mount.get("robot$unknown", PULL, password="secret", address="192.0.2.53").status == 401
        assert time.monotonic() - begun < 1.5


def test_the_directory_is_not_asked_for_names_that_no_person_can_have(mount: Mount, rows: Rows) -> None:
    """They are judged where the system's own accounts are, and those must never wait for a directory."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(5)
        listening.settimeout(0.5)
        factories.configure(rows, ldap_url=f"ldap://127.0.0.1:{listening.getsockname()[1]}", ldap_timeout=1)
        for name in ("per$on", "$", "other$robot", "robot$unknown"):
            assert mount.get(name, PULL, password="x", address="192.0.2.56").status == 401
        with pytest.raises(TimeoutError):
            listening.accept()


def test_the_mode_can_be_changed_while_running(mount: Mount, rows: Rows) -> None:
    factories.configure(rows, auth_mode="db_auth")
    assert mount.get("aliCe", PULL, password=ALICE, address="192.0.2.54").status == 401
    factories.configure(rows, auth_mode="ldap_auth")
    assert mount.get("aliCe", PULL, password=ALICE, address="192.0.2.54").status == 200


def test_referrals_are_not_followed(mount: Mount, directory: Directory) -> None:
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen(1)
        elsewhere.settimeout(1)
        entry = (
            f"dn: ou=away,{directory.base}\nobjectClass: referral\nobjectClass: extensibleObject\nou: away\n"
            f"ref: ldap://127.0.0.1:{elsewhere.getsockname()[1]}/{directory.base}\n"
        )
        subprocess.run(
            ["ldapadd", "-x", "-M", "-H", directory.url, "-D", directory.reader, "-w", directory.reader_password],
            input=entry, text=True, check=True, capture_output=True, timeout=20,
        )  # fmt: skip
        assert mount.get("alicE", PULL, password=ALICE).status == 200
        assert mount.get("somebody-away", PULL, password=ALICE, address="192.0.2.55").status == 401
        with pytest.raises(TimeoutError):
            elsewhere.accept()


# A directory that is broken. Last, because it is left alone for some seconds after each failure.


@pytest.fixture
def rested() -> Iterator[None]:
    yield
    time.sleep(3.1)


@pytest.mark.usefixtures("rested")
@pytest.mark.parametrize("broken", ["refused", "silent", "search account", "not a directory", "base"])
def test_a_broken_directory_is_503_for_its_own_people_and_nothing_to_all_others(
    mount: Mount, rows: Rows, broken: str
) -> None:
    factories.user(rows, f"local-{broken}")
    factories.robot(rows, f"local-{broken}", {"*": [("repository", "pull")]})
    with _silent() as port:
        if broken == "refused":
            factories.configure(rows, ldap_url=f"ldap://127.0.0.1:{free_port()}")
        elif broken == "silent":
            factories.configure(rows, ldap_url=f"ldap://127.0.0.1:{port}", ldap_timeout=1)
        elif broken == "search account":
            factories.configure(rows, ldap_search_dn=f"cn=nobody,{factories.PASSWORD}=x")
        elif broken == "base":
            factories.configure(rows, ldap_base_dn="dc=elsewhere,dc=test")
        else:
            factories.configure(rows, ldap_url="ldap://[broken")
        answer = mount.get("alIce", PULL, password=ALICE)
        assert (answer.status, answer.code) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"]
        begun = time.monotonic()
        assert mount.get("alIce", PULL, password=ALICE).status == 503
        assert mount.get(f"local-{broken}", PULL).status == 200
        assert mount.get(f"robot$local-{broken}", PULL).status == 200
        assert time.monotonic() - begun < 1


@pytest.mark.usefixtures("rested")
def test_many_logins_to_a_silent_directory_hold_nobody_else_up(mount: Mount, rows: Rows) -> None:
    for number in range(5):
        factories.user(rows, f"local{number}")
    with _silent() as port, ThreadPoolExecutor(40) as threads:
        factories.configure(rows, ldap_url=f"ldap://127.0.0.1:{port}", ldap_timeout=3)
        waiting = [
            threads.submit(mount.get, f"person{number}", PULL, password="x", address=f"203.0.113.{number}")
            for number in range(40)
        ]
        time.sleep(0.2)
        begun = time.monotonic()
        assert [mount.get(f"local{number}", PULL).status for number in range(5)] == [200] * 5
        assert time.monotonic() - begun < 3
        assert {answer.result().status for answer in waiting} == {503}
