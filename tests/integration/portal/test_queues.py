"""The broker's queues and dead letters in the portal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.clients.notifications import body_of, event
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.test_event_queues import LETTERS, bury
from tests.integration.core.test_parked_notifications import PARKED as API
from tests.integration.core.test_parked_notifications import park
from tests.integration.portal.browsing import HOSTILE, Browser, Reading

QUEUES = "/admin/queues"
PARKED = "/admin/queues/parked"


@pytest.fixture(scope="module")
def api(core_database: Database, session_broker: Broker) -> Iterator[Api]:
    settings = core_database.settings("core", amqp_port=session_broker.port)
    bind = engine(settings, pool_size=12)
    login = build_login(settings, bind)
    yield Api(TestClient(build(settings, bind, login)), core_database)
    login.ldap.close()
    bind.dispose()


@pytest.fixture
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def test_queues_are_shown_with_their_depth_and_asked_again_by_themselves(admin: Browser, rabbit: Broker) -> None:
    bury(rabbit, b"{}", b"{}")
    eventually(lambda: "none 2 dead letters of audit" in admin.read(QUEUES).text, True)
    part = admin.get(QUEUES, part="list").text
    assert 'hx-trigger="every 5s"' in part
    assert "<h1" not in part
    assert "No dead letters" in admin.read(f"{QUEUES}/webhook").text


def test_a_letter_is_shown_formatted_and_harmless(admin: Browser, rabbit: Broker) -> None:
    readable, other = bury(rabbit, b'{"data": {"tag": "<script>alert(1)</script>"}}', HOSTILE.encode())
    listed = admin.get(f"{QUEUES}/audit").text
    assert "the tag is odd" in listed
    shown = [admin.get(f"{QUEUES}/audit/letters/{each}", part="sheet").text for each in (readable, other)]
    assert '  "data": {' in shown[0].replace("&#34;", '"')
    assert HOSTILE in Reading(shown[1]).text
    assert all("<script>alert" not in text for text in (listed, *shown))
    assert admin.get(f"{QUEUES}/audit/letters/absent").status_code == 404
    assert admin.get(f"{QUEUES}/nothing").status_code == 404


def test_letters_are_searched_sorted_and_paged(admin: Browser, rabbit: Broker) -> None:
    ids = [each for number in range(27) for each in bury(rabbit, str(number).encode())]

    def shown(query: str) -> list[str]:
        page = admin.get(f"{QUEUES}/audit?{query}", part="list").text
        found: list[str] = re.findall(r'name="ids" value="([^"]+)"', page)
        return found

    assert shown("") == ids[:25]
    assert shown("page=2") == ids[25:]
    assert shown("sort=-failed_at") == ids[::-1][:25]
    assert shown(f"q={ids[26][:20].upper()}") == [ids[26]]
    assert len(shown("q=tag is ODD&sort=nonsense")) == 25
    assert "No dead letter matches" in admin.read(f"{QUEUES}/audit?q=%3Cscript%3E").text


@pytest.mark.parametrize(("action", "waiting"), [("redrive", 1), ("discard", 0)])
def test_chosen_letters_are_settled_after_a_question(
    api: Api, admin: Browser, rabbit: Broker, action: str, waiting: int
) -> None:
    one, two = bury(rabbit, b"1", b"2")
    path = f"{QUEUES}/audit/{action}"
    asked = admin.post(path, {"ids": [one]})
    assert Reading(asked.text).values() == {"q": "", "ids": one, "sure": "yes"}
    assert len(api.get(LETTERS).json) == 2
    done = admin.post(path, {"ids": [one], "sure": "yes"})
    assert f"Dead letters {'sent back' if action == 'redrive' else 'discarded'}: 1." in Reading(done.text).text
    assert [each["id"] for each in api.get(LETTERS).json] == [two]
    eventually(lambda: rabbit.depth("audit"), waiting)
    again = admin.post(path, {"ids": [one], "sure": "yes"})
    assert again.status_code == 404
    assert "has the id" in Reading(again.text).text


def test_nothing_chosen_is_nothing_done(admin: Browser, rabbit: Broker) -> None:
    bury(rabbit, b"1")
    answer = admin.post(f"{QUEUES}/audit/discard", {})
    assert answer.status_code == 400
    assert "Choose at least one dead letter" in Reading(answer.text).text
    assert admin.post(f"{QUEUES}/audit/burn", {"ids": ["1"]}).status_code == 404
    eventually(lambda: rabbit.depth("audit.dead-letters"), 1)


@pytest.fixture
def parked(api: Api) -> Iterator[list[str]]:
    """One that can be read by now, and one that never can; their ids."""
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM events.parked")
    yield [
        park(api, body_of(event("push", f"library/p{uuid4()}", tag="v1")), "an older version"),
        park(api, HOSTILE.encode(), HOSTILE),
    ]
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM events.parked")


def test_parked_notifications_are_counted_listed_and_shown_harmless(admin: Browser, parked: list[str]) -> None:
    assert "nothing could be made of: 2" in admin.read(QUEUES).text
    assert PARKED in admin.read(QUEUES).links()
    listed = admin.get(PARKED)
    page = Reading(listed.text)
    assert page.text.index("an older version") > page.text.index(HOSTILE)
    assert {f"{PARKED}/notifications/{each}" for each in parked} <= page.links()
    shown = admin.get(f"{PARKED}/notifications/{parked[1]}", part="sheet").text
    assert HOSTILE in Reading(shown).text
    assert all("<script>alert" not in text for text in (listed.text, shown))
    assert '"events": [' in admin.read(f"{PARKED}/notifications/{parked[0]}").text
    assert "an older version" not in admin.read(f"{PARKED}?q=script").text
    assert "No notification matches" in admin.read(f"{PARKED}?q=nothing-like-this").text
    assert "<h1" not in admin.get(PARKED, part="list").text
    assert admin.get(f"{PARKED}/notifications/{uuid4()}").status_code == 404


def test_chosen_notifications_are_taken_in_after_a_question(api: Api, admin: Browser, parked: list[str]) -> None:
    asked = admin.post(f"{PARKED}/retry", {"ids": parked})
    assert "Take in 2 parked notifications" in Reading(asked.text).text
    assert api.get(API).headers["x-total-count"] == "2"
    done = admin.post(f"{PARKED}/retry", {"ids": parked, "sure": "yes"})
    assert "Notifications taken in: 1. Still not acceptable, and kept: 1." in Reading(done.text).text
    assert [each["id"] for each in api.get(API).json] == [parked[1]]
    again = admin.post(f"{PARKED}/retry", {"ids": parked[1], "sure": "yes"})
    assert again.status_code == 409
    assert "still cannot be accepted" in Reading(again.text).text


def test_chosen_notifications_are_discarded_after_a_question(api: Api, admin: Browser, parked: list[str]) -> None:
    assert "They are gone for good" in Reading(admin.post(f"{PARKED}/discard", {"ids": parked}).text).text
    assert api.get(API).headers["x-total-count"] == "2"
    done = admin.post(f"{PARKED}/discard", {"ids": parked, "sure": "yes"})
    assert "Notifications discarded: 2." in Reading(done.text).text
    assert "Nothing is parked" in admin.read(PARKED).text
    assert admin.post(f"{PARKED}/discard", {"ids": parked, "sure": "yes"}).status_code == 404
    assert admin.post(f"{PARKED}/discard", {}).status_code == 400
    assert admin.post(f"{PARKED}/burn", {"ids": parked}).status_code == 404
