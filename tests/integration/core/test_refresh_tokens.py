"""Refresh tokens through the API: made by their owner, listed without their text, revoked."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from tests.integration.core.described import OwnDescription
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller, code, sentence
from tests.integration.core.test_sessions import Browser


def tokens_of(api: Api, number: int) -> list[Any]:
    with api.database.superuser() as connection:
        return connection.execute(
            """
            SELECT token_hash, client_id, credential_version, expires_at, revoked_at FROM token.refresh_tokens
            WHERE user_id = %s ORDER BY created_at
            """,
            (number,),
        ).fetchall()


def make(api: Api, number: int, name: object, caller: Caller) -> Any:  # noqa: ANN401 - falcon's Result
    return api.send("POST", f"/users/{number}/refresh_tokens", caller, {"client_id": name})


def test_a_token_is_made_by_its_owner_and_its_text_told_once(api: Api) -> None:
    caller = api.user()
    number = api.user_id(caller)
    answer = make(api, number, "  nightly build ", caller)
    OwnDescription(api.get("/openapi.json", NOBODY).json).check("POST", "/users/{user_id}/refresh_tokens", answer)
    text = answer.json["refresh_token"]
    assert text.startswith("bwrt_")
    ((token_hash, client_id, version, expires_at, revoked_at),) = tokens_of(api, number)
    assert (token_hash, client_id, version, revoked_at) == (sha256(text.encode()).digest(), "nightly build", 1, None)
    assert 29 <= (expires_at - datetime.now(UTC)).days <= 30
    assert answer.headers["location"] == f"/api/v2.0/users/{number}/refresh_tokens/{answer.json['id']}"
    listed = api.get(f"/users/{number}/refresh_tokens", caller)
    assert [(each["id"], each["client_id"]) for each in listed.json] == [(answer.json["id"], "nightly build")]
    assert text not in listed.text
    event = api.events("refresh_token.created")[-1]
    assert (event["actor"], event["subject"]) == (caller.name, caller.name)
    assert (event["data"]["token_id"], event["data"]["client_id"]) == (answer.json["id"], "nightly build")
    assert text not in str(event)
    assert api.send("DELETE", answer.headers["location"], caller).status_code == 200
    assert api.get(f"/users/{number}/refresh_tokens", caller).json == []


@pytest.mark.parametrize(
    ("name", "status"), [("", 400), ("   ", 400), ("x" * 256, 400), ("a\nb", 400), (5, 400), ("a\0b", 400)]
)
def test_a_name_that_cannot_be_makes_no_token(api: Api, name: object, status: int) -> None:
    caller = api.user()
    number = api.user_id(caller)
    before = len(api.events("refresh_token.created"))
    assert make(api, number, name, caller).status_code == status
    assert tokens_of(api, number) == []
    assert len(api.events("refresh_token.created")) == before


def test_nobody_makes_a_token_for_another(api: Api) -> None:
    caller = api.user()
    number = api.user_id(caller)
    robot = api.robot(None, system=(("user", "update"),))
    answers = [make(api, number, "mine", each) for each in (ADMIN, api.user(), robot, NOBODY)]
    assert [(each.status_code, code(each)) for each in answers] == [(403, "FORBIDDEN")] * 3 + [(401, "UNAUTHORIZED")]
    assert sentence(answers[0]) == "everybody makes refresh tokens for himself alone"
    assert tokens_of(api, number) == []


def test_an_account_of_the_directory_makes_none(api: Api) -> None:
    caller = api.user()
    number = api.user_id(caller)
    browser = Browser(api)
    browser.sign_in(caller)
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.users SET source = 'ldap' WHERE id = %s", (number,))
    refused = browser.change("POST", f"/users/{number}/refresh_tokens", {"client_id": "x"})
    assert (refused.status_code, sentence(refused)) == (
        403, "the account is kept in the directory: its clients sign in with the password",
    )  # fmt: skip
    assert tokens_of(api, number) == []


def test_of_very_many_those_longest_unused_give_way(api: Api) -> None:
    caller = api.user()
    number = api.user_id(caller)
    with api.database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO token.refresh_tokens
                (token_hash, user_id, credential_version, client_id, created_at, expires_at)
            SELECT sha256((%(user)s || '/' || n)::bytea), %(user)s, 1, n::text, now() - n * interval '1 minute',
                now() + interval '1 day' FROM generate_series(1, 500) n
            """,
            {"user": number},
        )
    assert make(api, number, "newest", caller).status_code == 201
    names = {row[1] for row in tokens_of(api, number)}
    assert len(names) == 500
    assert {"newest", "1", "499"} <= names
    assert "500" not in names


def test_refresh_tokens_are_listed_without_their_text_and_revoked(api: Api) -> None:
    caller = api.user()
    number = api.user_id(caller)
    with api.database.superuser() as connection:
        for _ in range(2):
            connection.execute(
                """
                INSERT INTO token.refresh_tokens (token_hash, user_id, credential_version, client_id, expires_at)
                VALUES (gen_random_uuid()::text::bytea, %s, 1, 'docker', now() + interval '1 day')
                """,
                (number,),
            )
    path = f"/users/{number}/refresh_tokens"
    first, second = api.get(path, caller).json
    assert set(first) == {
        "id", "client_id", "address", "creation_time", "last_used_time", "expiration_time",
    }  # fmt: skip
    assert api.send("DELETE", f"{path}/{first['id']}", caller).status_code == 200
    assert api.send("DELETE", f"{path}/{first['id']}", caller).status_code == 404
    assert api.send("DELETE", f"{path}/none", caller).status_code == 422
    assert [each["id"] for each in api.get(path).json] == [second["id"]]
    assert api.send("DELETE", path).status_code == 200
    assert api.get(path, caller).json == []
    assert [event["actor"] for event in api.events("refresh_token.revoked")[-2:]] == [caller.name, "admin"]
