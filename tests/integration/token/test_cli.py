"""The operator's verbs: passwords, accounts, refresh tokens, keys; and what each leaves in the record."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jwt
import psycopg
import pytest

from tests import factories
from tests.integration.token.mount import ROOT, Mount

Rows = psycopg.Connection[Any]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
PULL = "repository:library/app:pull"


@pytest.fixture
def run(mount: Mount) -> Run:
    """Runs a verb of an app as the script does, against this database."""

    def run(verb: str, *arguments: str, said: str = "") -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {
            "BREAKWATER_HOME": str(mount.settings.home),
            "BREAKWATER_RUN": str(mount.settings.run),
            "BREAKWATER_DATABASE_PORT": str(mount.settings.database_port),
            "BREAKWATER_DATABASE_NAME": mount.settings.database_name,
            "COLUMNS": "200",
        }
        script = (
            f"import sys\nfrom shared.errors import BreakwaterError\nfrom compose.cli.{verb} import app\n"
            "try:\n    app(sys.argv[1:])\nexcept BreakwaterError as error:\n    sys.exit(error.sentence)\n"
        )
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            input=said, env=environment, cwd=ROOT, text=True, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    return run


def test_a_reset_password_is_the_only_good_one_from_then_on(mount: Mount, rows: Rows, run: Run) -> None:
    factories.user(rows, "reset")
    refresh = mount.get("reset", offline_token="true").json["refresh_token"]
    done = run("admin", "reset-password", "reset", said="Another1horse\n")
    assert (done.returncode, done.stdout) == (0, "reset has a new password\n"), done.stderr
    assert mount.get("reset", PULL).status == 401
    assert mount.get("reset", PULL, password="Another1horse").status == 200
    assert mount.post(grant_type="refresh_token", refresh_token=refresh).status == 401
    (event,) = [event for event in mount.events("user.password_changed") if event["subject"] == "reset"]
    assert (event["actor"], event["actorkind"]) == ("system:operator", "system")
    assert "Another1horse" not in str(event)


def test_a_generated_password_is_printed_once_and_works(mount: Mount, rows: Rows, run: Run) -> None:
    factories.user(rows, "generated")
    done = run("admin", "reset-password", "generated", "--generate")
    assert mount.get("generated", PULL, password=done.stdout.strip()).status == 200


def test_the_administrators_password_file_follows(mount: Mount, run: Run) -> None:
    file = mount.settings.secrets / "admin-password"
    file.write_text("before\n")
    password = run("admin", "reset-password", "--generate").stdout.strip()
    assert file.read_text() == f"{password}\n"
    assert mount.get("admin", PULL, password=password).status == 200


@pytest.mark.parametrize(
    ("user", "said", "sentence"),
    [
        ("reset-none", "Another1horse\n", "there is no account 'reset-none'"),
        ("reset-weak", "short\n", "the password must have"),
        ("reset-weak", "", "the password must have"),
    ],
)
def test_a_reset_that_cannot_be_is_one_sentence(rows: Rows, run: Run, user: str, said: str, sentence: str) -> None:
    if user == "reset-weak":
        rows.execute("INSERT INTO core.users (username) VALUES ('reset-weak') ON CONFLICT DO NOTHING")
    done = run("admin", "reset-password", user, said=said)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


def test_a_disabled_account_is_out_until_it_is_enabled(mount: Mount, rows: Rows, run: Run) -> None:
    factories.user(rows, "toggled")
    refresh = mount.get("toggled", offline_token="true").json["refresh_token"]
    assert run("admin", "user", "disable", "toggled").returncode == 0
    assert mount.get("toggled", PULL).status == 401
    assert run("admin", "user", "enable", "toggled").returncode == 0
    assert mount.get("toggled", PULL).status == 200
    assert mount.post(grant_type="refresh_token", refresh_token=refresh).status == 401
    changed = [event["data"]["changed"] for event in mount.events("user.updated") if event["subject"] == "toggled"]
    assert changed == [["disabled"], ["disabled"]]


def test_the_last_administrator_cannot_be_disabled(run: Run) -> None:
    done = run("admin", "user", "disable", "admin")
    assert done.returncode == 1
    assert "administrator" in done.stderr


def test_refresh_tokens_are_listed_and_revoked_one_or_all(mount: Mount, rows: Rows, run: Run) -> None:
    factories.user(rows, "holder")
    tokens = [mount.get("holder", offline_token="true", client_id=f"client{n}").json["refresh_token"] for n in range(3)]
    listed = run("admin", "refresh-tokens", "list", "holder").stdout
    assert not any(token in listed for token in tokens)
    line = next(line for line in listed.splitlines() if "client1" in line)
    assert run("admin", "refresh-tokens", "revoke", "holder", "--id", line.split()[0]).returncode == 0
    assert [mount.post(grant_type="refresh_token", refresh_token=t).status for t in tokens] == [200, 401, 200]
    assert run("admin", "refresh-tokens", "revoke", "holder").stdout.startswith("2 refresh tokens")
    assert [mount.post(grant_type="refresh_token", refresh_token=t).status for t in tokens] == [401] * 3
    assert "no refresh tokens" in run("admin", "refresh-tokens", "list", "holder").stdout
    revoked = [event["data"]["token_id"] for event in mount.events("refresh_token.revoked")]
    assert revoked == [line.split()[0], None]


def test_nobody_elses_refresh_token_is_revoked_by_its_id(mount: Mount, rows: Rows, run: Run) -> None:
    for name in ("mine", "theirs"):
        factories.user(rows, name)
        mount.get(name, offline_token="true")
    theirs = run("admin", "refresh-tokens", "list", "theirs").stdout.splitlines()[1].split()[0]
    done = run("admin", "refresh-tokens", "revoke", "mine", "--id", theirs)
    assert done.returncode == 1
    assert theirs in run("admin", "refresh-tokens", "list", "theirs").stdout


def test_a_rotation_signs_with_the_next_key_at_once_and_is_on_record(mount: Mount, run: Run) -> None:
    before = jwt.get_unverified_header(mount.get(None, PULL).token)["kid"]
    listed = run("keys", "list").stdout
    following = next(line.split()[1] for line in listed.splitlines() if line.startswith("next"))
    done = run("keys", "rotate")
    assert done.returncode == 0, done.stderr
    assert jwt.get_unverified_header(mount.get(None, PULL).token)["kid"] == following
    event = mount.events("signing_key.rotated")[-1]
    assert (event["data"]["kid"], event["data"]["previous_kid"]) == (following, before)


def test_a_renewal_without_a_running_instance_says_what_is_left_to_do(mount: Mount, run: Run) -> None:
    done = run("keys", "renew")
    assert done.returncode == 0, done.stderr
    assert "restart the registry now" in done.stdout
    kid = jwt.get_unverified_header(mount.get(None, PULL).token)["kid"]
    assert mount.events("signing_key.rotated")[-1]["data"]["kid"] == kid
    listed = run("keys", "list").stdout
    assert kid in listed
    assert "previous" not in listed


def test_without_the_database_nothing_is_rotated(mount: Mount, run: Run) -> None:
    before = run("keys", "list").stdout
    with mount.database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {mount.database.name} ALLOW_CONNECTIONS false".encode())
        try:
            done = run("keys", "rotate")
        finally:
            connection.execute(f"ALTER DATABASE {mount.database.name} ALLOW_CONNECTIONS true".encode())
    assert done.returncode == 1
    assert done.stderr == "the database is not available right now: try again in a moment\n"
    assert run("keys", "list").stdout == before
