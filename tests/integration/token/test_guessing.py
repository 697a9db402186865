"""Guessing is slowed down, owners and robots are not locked out, and everything of it is on record."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import count
from typing import Any

import psycopg
import pytest

from shared.auth.authenticate import Client
from shared.auth.guard import PER_ACCOUNT
from shared.auth.record import OTHERS, LoginRecord
from shared.db import engine
from shared.directory import lender
from tests import factories
from tests.integration.token.mount import Answer, Mount

Rows = psycopg.Connection[Any]
PULL = "repository:library/app:pull"
ELSEWHERE = "198.51.100.250"
_addresses = count(1)


@pytest.fixture
def guesser() -> str:
    """An address that nobody has guessed from yet."""
    return f"203.0.113.{next(_addresses)}"


def _guess(mount: Mount, name: str, times: int, address: str) -> list[Answer]:
    return [mount.get(name, PULL, password=f"guess{number}", address=address) for number in range(times)]


def _failures(mount: Mount, name: str) -> list[dict[str, Any]]:
    return [event for event in mount.events("user.login_failed") if event["data"]["username"] == name]


def _client() -> Client:
    return Client(address="198.51.100.9")


def _now(rows: Rows) -> datetime:
    row = rows.execute("SELECT now()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def _eventually(found: Callable[[], bool], seconds: float = 15) -> bool:
    until = time.monotonic() + seconds
    while not found():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def test_after_some_wrong_passwords_the_guesser_has_to_wait(mount: Mount, rows: Rows, guesser: str) -> None:
    factories.user(rows, "guessed")
    answers = _guess(mount, "guessed", PER_ACCOUNT + 5, guesser)
    assert [answer.status for answer in answers] == [401] * PER_ACCOUNT + [429] * 5
    assert answers[-1].code == "TOOMANYREQUESTS"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60


def test_the_right_password_is_no_way_to_find_out_while_one_has_to_wait(mount: Mount, rows: Rows, guesser: str) -> None:
    factories.user(rows, "hidden")
    _guess(mount, "hidden", PER_ACCOUNT, guesser)
    assert mount.get("hidden", PULL, address=guesser).status == 429


def test_an_unknown_account_is_guarded_as_a_known_one(mount: Mount, guesser: str) -> None:
    answers = _guess(mount, "not-there", PER_ACCOUNT + 1, guesser)
    assert [answer.status for answer in answers] == [401] * PER_ACCOUNT + [429]


def test_guesses_at_once_are_counted_before_they_are_judged(mount: Mount, rows: Rows, guesser: str) -> None:
    factories.user(rows, "rushed")
    with ThreadPoolExecutor(40) as threads:
        statuses = list(
            threads.map(
                lambda number: mount.get("rushed", PULL, password=f"x{number}", address=guesser).status, range(40)
            )
        )
    assert statuses.count(401) <= PER_ACCOUNT
    assert statuses.count(401) + statuses.count(429) == 40


def test_the_owner_at_another_address_logs_in_during_an_attack(mount: Mount, rows: Rows, guesser: str) -> None:
    factories.user(rows, "owner")
    _guess(mount, "owner", PER_ACCOUNT + 5, guesser)
    assert mount.get("owner", PULL, address=ELSEWHERE).status == 200


@pytest.mark.parametrize("kind", ["user", "robot"])
def test_who_logged_in_before_goes_on_at_the_guessers_own_address(
    mount: Mount, rows: Rows, guesser: str, kind: str
) -> None:
    name = "neighbour"
    if kind == "robot":
        factories.robot(rows, name, {"*": [("repository", "pull")]})
        name = f"robot${name}"
    else:
        factories.user(rows, name)
    assert mount.get(name, PULL, address=guesser).status == 200
    _guess(mount, name, PER_ACCOUNT + 5, guesser)
    assert mount.get(name, PULL, address=guesser).status == 200


@pytest.mark.parametrize("kind", ["user", "robot"])
def test_an_old_secret_sent_again_and_again_does_not_keep_the_new_one_out(
    mount: Mount, rows: Rows, guesser: str, kind: str
) -> None:
    factories.user(rows, f"{kind}-of-old")
    factories.robot(rows, f"{kind}-of-old", {"*": [("repository", "pull")]})
    name = f"robot${kind}-of-old" if kind == "robot" else f"{kind}-of-old"
    for _ in range(PER_ACCOUNT + 5):
        assert mount.get(name, PULL, password="Old1secret", address=guesser).status == 401
    assert mount.get(name, PULL, address=guesser).status == 200


def test_an_old_guess_among_new_ones_does_not_lengthen_the_list(mount: Mount, rows: Rows, guesser: str) -> None:
    factories.user(rows, "mixed")
    passwords = [word for number in range(PER_ACCOUNT) for word in (f"guess{number}", "guess0")]
    statuses = [mount.get("mixed", PULL, password=word, address=guesser).status for word in passwords]
    assert statuses[:-1] == [401] * (2 * PER_ACCOUNT - 1)
    assert mount.get("mixed", PULL, password="another", address=guesser).status == 429


def test_a_proven_credential_passes_the_limit_when_it_has_to_be_checked_again(
    mount: Mount, rows: Rows, guesser: str
) -> None:
    user_id = factories.user(rows, "proven")
    assert mount.get("proven", PULL, address=guesser).status == 200
    _guess(mount, "proven", PER_ACCOUNT + 5, guesser)
    rows.execute("UPDATE core.users SET credential_version = credential_version + 1 WHERE id = %s", (user_id,))
    assert mount.get("proven", PULL, address=guesser).status == 200


def test_other_processes_count_the_same_guesses(mount: Mount, rows: Rows, guesser: str) -> None:
    factories.user(rows, "shared")
    rows.execute(
        "INSERT INTO token.login_failures (account, address, minute, failures)"
        " VALUES ('shared', %s, date_trunc('minute', now()), %s)",
        (guesser, PER_ACCOUNT),
    )
    assert mount.get("shared", PULL, address=guesser).status == 429
    assert mount.get("shared", PULL, address=ELSEWHERE).status == 200


def test_a_right_password_uses_nothing_up(mount: Mount, rows: Rows, guesser: str) -> None:
    user_id = factories.user(rows, "honest")
    for _ in range(PER_ACCOUNT + 5):
        assert mount.get("honest", PULL, address=guesser).status == 200
        rows.execute("UPDATE core.users SET credential_version = credential_version + 1 WHERE id = %s", (user_id,))


# on record


def test_a_login_is_told_of_and_a_token_for_a_pull_is_not(mount: Mount, rows: Rows) -> None:
    user_id = factories.user(rows, "teller")
    assert mount.get("teller", PULL).status == 200
    assert mount.get("teller").status == 200
    told = [event for event in mount.events("user.logged_in") if event["actor"] == "teller"]
    assert [(event["data"]["user_id"], event["data"]["method"]) for event in told] == [(user_id, "database")]
    assert told[0]["data"]["client"] == {"address": "192.0.2.10", "user_agent": "docker/28.2.2"}
    assert told[0]["subject"] == "teller"


def test_a_robots_login_and_a_refresh_tokens_are_told_of_by_their_method(mount: Mount, rows: Rows) -> None:
    factories.robot(rows, "told", {"*": [("repository", "pull")]})
    factories.user(rows, "renewer")
    assert mount.get("robot$told").status == 200
    token = mount.get("renewer", offline_token="true").json["refresh_token"]
    assert mount.post(grant_type="refresh_token", refresh_token=token).status == 200
    told = {(event["actor"], event["data"]["method"]) for event in mount.events("user.logged_in")}
    assert {("robot$told", "robot"), ("renewer", "database"), ("renewer", "refresh_token")} <= told


def test_the_first_failure_is_told_at_once_and_the_rest_with_their_number(
    mount: Mount, rows: Rows, guesser: str
) -> None:
    factories.user(rows, "failing")
    wrong, refused = PER_ACCOUNT, 7
    _guess(mount, "failing", wrong + refused, guesser)
    first = _failures(mount, "failing")[0]
    assert first["data"]["count"] == 1
    assert first["data"]["client"]["address"] == guesser
    assert first["actor"] == "anonymous"

    def counted() -> bool:
        row = rows.execute(
            "SELECT sum(failures + refused) FROM token.login_failures WHERE account = 'failing'"
        ).fetchone()
        return row is not None and row[0] == wrong + refused

    assert _eventually(counted)
    # the minute is over
    rows.execute("UPDATE token.login_failures SET minute = minute - interval '2 min' WHERE account = 'failing'")
    assert _eventually(lambda: sum(e["data"]["count"] for e in _failures(mount, "failing")) == wrong + refused)
    assert len(_failures(mount, "failing")) <= 4


def test_no_password_is_written_anywhere(mount: Mount, rows: Rows) -> None:
    factories.user(rows, "canary")
    right, wrong = factories.PASSWORD, "canary-guess-71c2"
    mount.get("canary")
    mount.get("canary", PULL, password=wrong)
    mount.post(grant_type="password", username="canary", password=wrong)
    mount.get(wrong, PULL, password="another")
    written = mount.log.read_text() + str(mount.events("user.logged_in"))
    written += "".join(str(e) for e in mount.events("user.login_failed") if e["data"]["username"] != wrong)
    assert right not in written
    assert wrong not in written.replace(f'"account": "{wrong}"', "")


def test_many_names_at_a_time_are_not_counted_one_by_one(mount: Mount, rows: Rows) -> None:
    bind = engine(mount.settings)
    record = LoginRecord(lender(bind), mount.settings.instance_id)
    for number in range(500):
        record.refused(f"name{number}", _client(), _now(rows))
    record.flush()
    row = rows.execute(
        "SELECT count(*), sum(refused) FROM token.login_failures WHERE address = '198.51.100.9'"
    ).fetchone()
    others = rows.execute("SELECT refused FROM token.login_failures WHERE account = %s", (OTHERS,)).fetchone()
    bind.dispose()
    assert row == (101, 500)
    assert others == (400,)
