"""Parked notifications through the API: listed with reasons, shown, taken in after all, thrown away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.clients.notifications import body_of, event
from tests.integration.core.described import OwnDescription
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller, code, sentence

PARKED = "/system/parked_notifications"
REASON = "the body is not JSON"


@pytest.fixture(autouse=True)
def _nothing_is_parked(api: Api) -> None:
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM events.parked")


def park(api: Api, body: bytes = b"{]", reason: str = REASON) -> str:
    """Put a notification among the parked, as the intake does; its id."""
    with api.database.superuser() as connection:
        row = connection.execute(
            "INSERT INTO events.parked (reason, body, address) VALUES (%s, %s, '192.0.2.1') RETURNING id::text",
            (reason, body),
        ).fetchone()
    assert row
    return str(row[0])


def left(api: Api) -> list[str]:
    with api.database.superuser() as connection:
        return [row[0] for row in connection.execute("SELECT id::text FROM events.parked ORDER BY received_at")]


def settle(api: Api, action: str, *ids: str, caller: Caller = ADMIN) -> Any:  # noqa: ANN401 - falcon's Result
    return api.send("POST", PARKED, caller, {"action": action, "ids": list(ids)})


def told(api: Api, verb: str) -> list[tuple[str, str, str]]:
    """Who did it to which, and why that was there."""
    found = api.events(f"parked_notification.{verb}")
    return [(each["actor"], each["data"]["parked_id"], each["data"]["reason"]) for each in found]


def test_they_are_listed_in_pages_the_newest_first_without_their_bodies(api: Api) -> None:
    old, middle, new = park(api, b"1"), park(api, b"22", "an odd one"), park(api, b"333")
    answer = api.get(f"{PARKED}?page_size=2")
    assert [each["id"] for each in answer.json] == [new, middle]
    assert answer.headers["x-total-count"] == "3"
    assert [each["id"] for each in api.get(f"{PARKED}?page_size=2&page=2").json] == [old]
    assert [each["id"] for each in api.get(f"{PARKED}?q=reason=~ODD").json] == [middle]
    assert [each["id"] for each in api.get(f"{PARKED}?sort=received_time").json] == [old, middle, new]
    assert answer.json[0] | {"received_time": ""} == {
        "id": new, "received_time": "", "reason": REASON, "address": "192.0.2.1", "size": 3,
    }  # fmt: skip
    OwnDescription(api.get("/openapi.json", NOBODY).json).check("GET", PARKED, answer)


def test_one_is_shown_with_whatever_its_body_is(api: Api) -> None:
    odd = park(api, b"{\xff]")
    answer = api.get(f"{PARKED}/{odd}")
    assert (answer.json["body"], answer.json["size"]) == ("{\ufffd]", 3)
    OwnDescription(api.get("/openapi.json", NOBODY).json).check("GET", PARKED + "/{parked_id}", answer)
    assert api.get(f"{PARKED}/{uuid4()}").status_code == 404
    assert api.get(f"{PARKED}/none").status_code == 422


def test_what_can_be_read_by_now_is_taken_in_once_and_the_rest_stays(api: Api) -> None:
    body = body_of(event("push", "library/taken-in", tag="v1"))
    first, second, odd = park(api, body, "an older version"), park(api, body, "an older version"), park(api)
    before = len(api.events("artifact.pushed"))
    answer = settle(api, "retry", first, second, odd)
    assert answer.json == {"count": 2, "still_malformed": 1, "events": 1}
    OwnDescription(api.get("/openapi.json", NOBODY).json).check("POST", PARKED, answer)
    assert left(api) == [odd]
    assert [each["data"]["repository"] for each in api.events("artifact.pushed")[before:]] == ["library/taken-in"]
    assert set(told(api, "accepted")) >= {("admin", each, "an older version") for each in (first, second)}
    assert odd not in {parked_id for _, parked_id, _ in told(api, "accepted")}


def test_what_is_still_malformed_stays(api: Api) -> None:
    odd = park(api)
    answer = settle(api, "retry", odd)
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    assert sentence(answer) == f"the notification still cannot be accepted: {REASON}"
    assert left(api) == [odd]


def test_what_is_discarded_is_gone_and_recorded(api: Api) -> None:
    boss = api.user(admin=True)
    one, two, three = park(api), park(api), park(api)
    assert settle(api, "discard", one, three, one, caller=boss).json == {
        "count": 2, "still_malformed": 0, "events": 0,
    }  # fmt: skip
    assert left(api) == [two]
    assert set(told(api, "discarded")) >= {(boss.name, one, REASON), (boss.name, three, REASON)}


@pytest.mark.parametrize("action", ["retry", "discard"])
def test_with_an_unknown_one_among_them_nothing_is_done(api: Api, action: str) -> None:
    good = park(api, body_of(event("push", "library/unknown", tag="v1")))
    before = told(api, "accepted"), told(api, "discarded")
    assert settle(api, action, good, str(uuid4())).status_code == 404
    assert left(api) == [good]
    assert (told(api, "accepted"), told(api, "discarded")) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"action": "burn", "ids": ["{one}"]}, 400),
        ({"action": "discard"}, 400),
        ({"action": "discard", "ids": []}, 400),
        ({"action": "discard", "ids": ["none"]}, 400),
        ({"action": "discard", "ids": [5]}, 400),
        ({"action": "discard", "ids": ["{one}"] * 101}, 422),
    ],
)
def test_what_makes_no_sense_changes_nothing(api: Api, body: dict[str, Any], status: int) -> None:
    one = park(api)
    body = body | {"ids": [one if each == "{one}" else each for each in body["ids"]]} if "ids" in body else body
    assert api.send("POST", PARKED, ADMIN, body).status_code == status
    assert left(api) == [one]


def test_of_two_who_take_it_in_at_once_one_does(api: Api) -> None:
    one = park(api, body_of(event("push", "library/at-once", tag="v1")))
    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(threads.map(lambda _: settle(api, "retry", one).status_code, range(2)))
    assert statuses == [200, 404]
    assert len([each for each in told(api, "accepted") if each[1] == one]) == 1
