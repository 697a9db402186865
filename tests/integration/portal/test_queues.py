"""The broker's queues and dead letters in the portal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.test_event_queues import LETTERS, bury
from tests.integration.portal.browsing import HOSTILE, Browser, Reading

QUEUES = "/admin/queues"


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
