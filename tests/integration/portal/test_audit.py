"""The portal's audit log: filtered, looked at, taken along, and whether it is whole."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from io import StringIO
from uuid import uuid4

import pytest

from gateway.portal.pages.audit import asked, export
from services.audit.commands import record_batch
from services.audit.domain.chain import ChainKey
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, EventContext
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.envelope import build, parse
from shared.secrets import Secret
from tests.integration.core.people import ADMIN, Api
from tests.integration.portal.browsing import HOSTILE, Browser

KEY = ChainKey(Secret("the chain's key of a test"))
FORMULA = "=HYPERLINK(1)"
NUMBER = 230


@pytest.fixture(scope="module")
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


@pytest.fixture(scope="module", autouse=True)
def _record(api: Api) -> None:
    bind = engine(api.database.settings("audit"))
    at = datetime(2026, 3, 5, 10, 0, tzinfo=UTC)
    actors = [FORMULA, HOSTILE, *["alice"] * (NUMBER - 2)]
    events = [
        parse(
            build(
                ArtifactPushed(project="library", repository=f"library/app{n}", digest=f"sha256:{n:064x}", tag="v1",
                               project_id=1),
                context=EventContext(instance_id=uuid4(), actor=Actor(kind=ActorKind.USER, name=actor), request_id="r",
                                     address="192.0.2.7", user_agent=HOSTILE),
                event_id=uuid4(), time=at,
            )
        )
        for n, actor in enumerate(actors)
    ]  # fmt: skip
    with session_factory(bind).begin() as session:
        record_batch(session, events, key=KEY, now=datetime.now(UTC))
    bind.dispose()


def test_a_stranger_is_asked_to_sign_in(api: Api) -> None:
    for path in ("/audit", "/audit/export.csv", "/audit/integrity"):
        answer = Browser(api).get(path)
        assert answer.status_code == 303
        assert "/sign-in" in answer.headers["location"]


def test_somebody_without_a_project_sees_nothing_of_it(api: Api) -> None:
    browser = Browser(api).sign_in(api.user())
    assert "No record matches" in browser.read("/audit").text
    assert browser.get("/audit/export.jsonl").text == ""
    assert browser.get("/audit/integrity").status_code == 403
    assert "/audit/integrity" not in browser.read("/audit").links()


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("user=alice", NUMBER - 2),
        ("user=ALICE&operation=create", NUMBER - 2),
        ("operation=delete&type=artifact", 0),
        ("resource=app17&user=alice", 11),
        ("from=2026-03-05T10:00&to=2026-03-05T10:01&type=artifact", NUMBER),
        ("from=2026-03-05T10:01&type=artifact", 0),
        ("result=failed&type=artifact", 0),
        ("type=artifact&from=nonsense&result=nonsense&page=nonsense", NUMBER),
        ("user=a,b=c&type=artifact", 0),
    ],
)
def test_filters_are_in_the_address(admin: Browser, query: str, total: int) -> None:
    page = admin.get(f"/audit?{query}", part="list").text
    assert (f"{total:,} record" in page) if total else ("No record matches" in page)
    assert len(admin.get(f"/audit/export.jsonl?{query}").text.splitlines()) == total


def test_hostile_names_are_shown_as_they_are(admin: Browser) -> None:
    page = admin.get("/audit?type=artifact&sort=username")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in admin.get(f"/audit?user={HOSTILE.replace('=', '%3D')}").text


def test_a_record_is_shown_with_all_that_is_known_of_it(api: Api, admin: Browser) -> None:
    [found] = api.get("/auditlog-exts?q=resource=library/app17:v1").json
    page = admin.read(f"/audit/records/{found['id']}?at={found['op_time']}")
    for text in ("library/app17:v1", "192.0.2.7", "<script>", f"sha256:{17:064x}"):
        assert text in page.text
    assert "<script>alert" not in admin.get(f"/audit/records/{found['id']}?at={found['op_time']}", part="sheet").text
    for wrong in (f"/audit/records/0?at={found['op_time']}", "/audit/records/1?at=then", "/audit/records/1"):
        assert admin.get(wrong).status_code == 404


def test_the_export_has_every_record_and_no_formula(admin: Browser) -> None:
    answer = admin.get("/audit/export.csv?type=artifact")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert len({row["id"] for row in rows}) == NUMBER
    assert {row["username"] for row in rows} == {"alice", f"'{FORMULA}", HOSTILE}
    assert {row["client_address"] for row in rows} == {"192.0.2.7"}


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_what_a_spreadsheet_would_compute_is_text(cell: str) -> None:
    assert export.defused(cell) == f"'{cell}"
    assert export.defused("a" + cell) == "a" + cell


def test_a_long_export_says_that_it_is_cut(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (asked, export):
        monkeypatch.setattr(module, "MOST_ROWS", 150)
    lines = [json.loads(line) for line in admin.get("/audit/export.jsonl?type=artifact").text.splitlines()]
    assert len(lines) == 151
    assert "cut after" in lines[-1]["note"]
    assert "cut after" in admin.get("/audit/export.csv?type=artifact").text.splitlines()[-1]


def test_integrity_is_shown_and_verified_anew_on_demand(api: Api, admin: Browser) -> None:
    with api.database.superuser() as connection:
        connection.execute("UPDATE audit.checks SET verified_at = now(), links = 12, first_link = 1")
    assert "Whole 12 links" in admin.read("/audit/integrity").text
    admin.post("/audit/integrity", {})
    assert "every 1s" in admin.get("/audit/integrity", part="checks").text
    with api.database.superuser() as connection:
        connection.execute("UPDATE audit.checks SET asked_at = NULL, broken = 'link 7: its record was edited'")
    page = admin.get("/audit/integrity").text
    assert "link 7: its record was edited" in page
    assert "every 1s" not in page
    assert "Record broken" in admin.read("/audit").text
