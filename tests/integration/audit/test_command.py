"""`breakwater audit` as it is typed."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.secrets import Secret
from tests.integration.audit.conftest import KEY_TEXT, NOW, Record, push
from tests.integration.conftest import Database
from tests.integration.verbs import verb
from tests.sentences import words_said

CODE = Path(__file__).parents[3]

Done = subprocess.CompletedProcess[str]


def home_of(database: Database) -> Path:
    """A home like an instance's: that of the server has a file where an instance has the log's folder."""
    home = database.server.home / "operator"
    if not home.exists():
        (home / "log").mkdir(parents=True)
        (home / "secrets").symlink_to(database.server.home / "secrets")
        (home / "instance-id").symlink_to(database.server.home / "instance-id")
    return home


def audit(database: Database, *arguments: str, with_key: bool = True) -> Done:
    """Run the command, on an instance whose settings stand in the environment."""
    settings = database.settings("audit")
    key = settings.secrets / "audit" / "chain-key"
    key.write_text(Secret(KEY_TEXT).reveal())
    if not with_key:
        key.unlink()
    return subprocess.run(
        verb("audit", *arguments),
        cwd=CODE,
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "BREAKWATER_HOME": str(home_of(database)),
            "BREAKWATER_RUN": str(settings.run),
            "BREAKWATER_DATABASE_PORT": str(settings.database_port),
            "BREAKWATER_DATABASE_NAME": settings.database_name,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def recorded(record: Record, database: Database) -> Database:
    record(*(push(number, project="one" if number % 2 else "two") for number in range(1, 9)))
    return database


def remembered(database: Database) -> tuple[object, ...] | None:
    """What the portal shows of the last verification of the whole record."""
    with database.superuser() as connection:
        return connection.execute("SELECT first_link, links, broken FROM audit.checks WHERE scope = 'all'").fetchone()


def test_verify_says_that_the_record_is_whole(recorded: Database) -> None:
    done = audit(recorded, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the audit record is whole: 8 links\n"
    assert remembered(recorded) == (1, 8, None)


def test_verify_names_the_first_broken_link_and_exits_with_1(recorded: Database) -> None:
    with recorded.superuser() as connection:
        connection.execute(b"UPDATE audit.records SET actor = 'bob' WHERE sequence IN (3, 5)")
    done = audit(recorded, "verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the audit record is broken at link 3: its record was edited\n"
    assert remembered(recorded) == (1, 2, "link 3: its record was edited")


def test_verify_asks_the_log_about_a_cut_tail(recorded: Database) -> None:
    line = json.dumps({"sequence": 9, "mac": "00", "event": "audit_head", "level": "info"})
    log = home_of(recorded) / "log" / "audit.log"
    log.write_text(f"2026-05-17T12:00:00+00:00 {line}\n")
    try:
        done = audit(recorded, "verify")
        ignoring = audit(recorded, "verify", "--ignore-log")
    finally:
        log.unlink()
    assert done.returncode == 1
    assert "link 9: the tail was cut off: the log witnessed link 9" in done.stderr
    assert ignoring.returncode == 0


def test_list_filters_and_shows_who_did_what(recorded: Database) -> None:
    done = audit(recorded, "list", "--project", "one", "--operation", "create", "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert "one/app:v7" in done.stdout
    assert "two/app" not in done.stdout
    assert "2 of 4 records" in done.stdout
    lines = audit(recorded, "list", "--json", "--resource", "app:v3").stdout.splitlines()
    (found,) = map(json.loads, lines)
    assert (found["actor"], found["resource"], found["occurred_at"]) == (
        "alice",
        "one/app:v3",
        "2026-05-17T12:00:00.000Z",
    )
    assert audit(recorded, "list", "--failed").stdout == "no record fits\n"
    assert "8 of" not in audit(recorded, "list", "--until", "2026-05-17T11:00:00Z").stdout


def test_purge_drops_what_is_older_and_tells_it(recorded: Database) -> None:
    assert datetime.now(UTC) > NOW
    asked = audit(recorded, "purge", "--older-than", "1d")
    assert asked.returncode == 1
    assert audit(recorded, "list", "--json").stdout.count("\n") == 8
    _, *words = words_said("./breakwater audit purge --older-than AGE --yes", {"AGE": "1d"})
    done = audit(recorded, *words)
    assert (done.returncode, done.stdout) == (0, "purged 8 records, up to link 8\n")
    assert audit(recorded, "verify").stdout == "the audit record is whole: 8 links, the content of 8 was purged\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["purge", "--older-than", "10m", "--yes"], "records of the last hour are not purged"),
        (["purge", "--older-than", "2000d", "--yes"], "no record is from before"),
        (["purge", "--older-than", "soon", "--yes"], "'soon' is no time"),
        (["purge", "--older-than", "2999-01-01T00:00:00Z", "--yes"], "is in the future"),
        (["list", "--since", "soon"], "'soon' is no time"),
    ],
)
def test_a_refusal_is_one_sentence(recorded: Database, arguments: list[str], sentence: str) -> None:
    done = audit(recorded, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_verify_without_the_key_says_so_and_proves_nothing(recorded: Database) -> None:
    key = recorded.settings("audit").secrets / "audit" / "chain-key"
    done = audit(recorded, "verify", with_key=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "audit/chain-key cannot be read" in done.stderr
    assert not key.exists()
