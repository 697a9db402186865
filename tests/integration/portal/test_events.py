"""The page of live events: what it has the browser listen to."""

from __future__ import annotations

import pytest

from gateway.portal.pages.events import STREAM
from shared.events.catalogue import BY_TYPE
from tests.integration.core.people import ADMIN, Api
from tests.integration.portal.browsing import HOSTILE, Browser


@pytest.fixture(scope="module")
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


def listens(browser: Browser, query: str) -> dict[str, str]:
    [stream] = [each for each in browser.read(f"/events{query}").all("section") if each.get("id") == "stream"]
    return stream


def test_a_stranger_is_asked_to_sign_in(api: Api) -> None:
    answer = Browser(api).get("/events?type=artifact")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fevents%3Ftype%3Dartifact"


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("", f"{STREAM}?"),
        ("?type=artifact", f"{STREAM}?type=artifact"),
        ("?type=artifact.pushed&project=library", f"{STREAM}?type=artifact.pushed&project=library"),
        ("?repository=library%2Fapp", f"{STREAM}?repository=library%2Fapp"),
        ("?type=nonsense", f"{STREAM}?"),
    ],
)
def test_the_filters_of_the_address_are_the_streams(admin: Browser, query: str, address: str) -> None:
    assert listens(admin, query)["data-stream"] == address


@pytest.mark.parametrize(("query", "minutes"), [("", ""), ("?replay=5", "5"), ("?replay=60", "60"), ("?replay=x", "")])
def test_it_begins_as_many_minutes_back_as_offered(admin: Browser, query: str, minutes: str) -> None:
    assert listens(admin, query)["data-replay"] == minutes


def test_every_type_is_listened_for(admin: Browser) -> None:
    assert set(listens(admin, "")["data-types"].split()) == set(BY_TYPE)


def test_hostile_filters_come_out_as_text(admin: Browser) -> None:
    page = admin.get(f"/events?project={HOSTILE}&repository={HOSTILE}&type={HOSTILE}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
