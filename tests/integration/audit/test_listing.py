"""Lists of the record: filters, scopes, orders, pages and totals agree with a plain look at all rows."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.audit.queries import AuditFilter, AuditPage, AuditRecord, Cursor, ProjectScope, list_records
from services.audit.queries import listing as listing_module
from shared.errors import BadRequest
from shared.events import ActorKind
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled
from shared.events.definitions.project import ProjectCreated
from shared.events.definitions.user import UserLoggedIn, UserLoginFailed
from shared.listing import parse_order, parse_terms
from tests.integration.audit.conftest import NOW, Record, context, envelope, push

ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
DIGEST = f"sha256:{0:064x}"


@pytest.fixture
def filled(record: Record) -> None:
    """Sixty records of three projects and the system, over three months, times not quite in order."""
    for turn, month in product(range(10), range(2)):
        at = NOW + timedelta(days=40 * month, seconds=turn * 7 % 10)
        project = ("one", "two", "three")[turn % 3]
        around = context(f"user{turn % 4}", ActorKind.USER)
        record(
            envelope(push(turn, project=project), around=around, at=at),
            envelope(
                ArtifactPulled(project=project, repository=f"{project}/app", digest=DIGEST, tag=f"v{turn}"),
                around=context("", ActorKind.ANONYMOUS),
                at=at,
            ),
            envelope(
                UserLoginFailed(username="mallory", minute="2026-05-17T12:00:00Z", count=2)
                if turn % 5 == 0
                else UserLoggedIn(username="user1"),
                around=around,
                at=at,
            ),
            now=NOW + timedelta(days=40 * month),
        )


def listed(
    sessions: sessionmaker[Session],
    q: str = "",
    *,
    projects: tuple[str, ...] | None = None,
    sort: str = "",
    limit: int = 1000,
    offset: int = 0,
    before: Cursor | None = None,
) -> AuditPage:
    scopes = None if projects is None else tuple(ProjectScope(name=name, since=ALWAYS) for name in projects)
    with sessions() as session:
        return list_records(
            session,
            filter=AuditFilter(projects=scopes, terms=parse_terms(q)),
            sort=parse_order(sort),
            limit=limit,
            offset=offset,
            before=before,
        )


def newest_first(records: list[AuditRecord]) -> list[AuditRecord]:
    return sorted(records, key=lambda each: (each.occurred_at, each.sequence), reverse=True)


FILTERS = [
    ("", lambda _: True),
    ("username=user1", lambda each: each.actor == "user1"),
    ("username=anonymous", lambda each: each.actor == "anonymous"),
    ("username=~USER", lambda each: "user" in each.actor),
    ("username=~nobody", lambda _: False),
    ("username=~%", lambda _: False),
    ("username={user1 user2}", lambda each: each.actor in {"user1", "user2"}),
    ("operation=pull", lambda each: each.operation == "pull"),
    ("operation={create login}", lambda each: each.operation in {"create", "login"}),
    ("resource_type=user", lambda each: each.resource_type == "user"),
    ("ResourceType=artifact", lambda each: each.resource_type == "artifact"),
    ("resource=one/app:v3", lambda each: each.resource == "one/app:v3"),
    ("resource=~APP:v", lambda each: "app:v" in each.resource),
    ("resource=~_app", lambda _: False),
    ("op_time=[2026-06-01T00:00:00~]", lambda each: each.occurred_at >= datetime(2026, 6, 1, tzinfo=UTC)),
    ("op_time=[~2026-06-01T00:00:00]", lambda each: each.occurred_at <= datetime(2026, 6, 1, tzinfo=UTC)),
    ("operation_result=false", lambda each: not each.succeeded),
    ("username=user1,operation=create", lambda each: (each.actor, each.operation) == ("user1", "create")),
    ("unknown=field", lambda _: True),
]


@pytest.mark.usefixtures("filled")
def test_every_filter_in_every_scope_lists_and_counts_what_fits(sessions: sessionmaker[Session]) -> None:
    everything = listed(sessions).records
    assert len(everything) == 60
    for projects in (None, (), ("one",), ("one", "three"), ("one", "no-such")):
        for q, fits in FILTERS:
            expected = newest_first(
                [each for each in everything if fits(each) and (projects is None or each.project in projects)]
            )
            page = listed(sessions, q, projects=projects)
            assert page.records == expected, (projects, q)
            assert (page.total, page.exact) == (len(expected), True), (projects, q)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("projects", [None, ("one",), ("one", "two")])
def test_pages_by_number_and_by_cursor_are_the_same_pages(
    sessions: sessionmaker[Session], projects: tuple[str, ...] | None
) -> None:
    whole = listed(sessions, projects=projects).records
    by_number, by_cursor, cursor = [], [], None
    for offset in range(0, len(whole) + 7, 7):
        by_number += listed(sessions, projects=projects, limit=7, offset=offset).records
        page = listed(sessions, projects=projects, limit=7, before=cursor)
        by_cursor += page.records
        if page.next is None:
            break
        cursor = Cursor.parse(str(page.next))
    assert by_number == whole
    assert by_cursor == whole


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("projects", [None, ("one", "two")])
@pytest.mark.parametrize(
    ("sort", "key", "descending"),
    [
        ("op_time", "occurred_at", False),
        ("-op_time", "occurred_at", True),
        ("username", "actor", False),
        ("-username", "actor", True),
        ("operation", "operation", False),
        ("-resource_type", "resource_type", True),
        ("nonsense,-op_time", "occurred_at", True),
        ("resource", "occurred_at", True),
    ],
)
def test_lists_are_sorted(
    sessions: sessionmaker[Session], projects: tuple[str, ...] | None, sort: str, key: str, *, descending: bool
) -> None:
    page = listed(sessions, sort=sort, projects=projects)
    values = [getattr(each, key) for each in page.records]
    assert values == sorted(values, reverse=descending)
    assert len({each.sequence for each in page.records}) == page.total


def test_records_of_an_earlier_project_of_the_same_name_are_not_listed(
    record: Record, sessions: sessionmaker[Session]
) -> None:
    record(
        envelope(push(1, project="reborn"), at=NOW - timedelta(days=1)),
        envelope(ProjectCreated(project="reborn", project_id=9, public=False), at=NOW),
        envelope(push(2, project="reborn"), at=NOW),
    )
    scope = (ProjectScope(name="reborn", since=NOW),)
    with sessions() as session:
        page = list_records(session, filter=AuditFilter(projects=scope), limit=10)
        narrow = list_records(
            session, filter=AuditFilter(projects=scope, terms=parse_terms("operation=create")), limit=10
        )
    assert [each.tag for each in page.records] == ["v2", None]
    assert (page.total, narrow.total) == (2, 2)


@pytest.mark.usefixtures("filled")
def test_a_total_that_no_tally_holds_is_estimated_beyond_the_limit(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_module, "COUNTED_AT_MOST", 5)
    page = listed(sessions, "resource=~app", limit=10, offset=10)
    assert not page.exact
    assert page.total >= 20
    whole = listed(sessions, "resource=~app")
    assert (whole.total, whole.exact) == (40, True)
    assert listed(sessions, "operation=pull").exact


def test_deletions_are_listed_by_digest(record: Record, sessions: sessionmaker[Session]) -> None:
    record(ArtifactDeleted(project="one", repository="one/app", digest=DIGEST))
    (found,) = listed(sessions).records
    assert found.resource == f"one/app@{DIGEST}"


@pytest.mark.parametrize(
    "encoded", ["", "x", "2026-05-17T12:00:00Z_x", "2026-05-17T12:00:00_1", "2026-05-17T12:00:00Z_-1", "_" * 99]
)
def test_a_cursor_that_was_not_given_is_refused(encoded: str) -> None:
    with pytest.raises(BadRequest, match="cursor"):
        Cursor.parse(encoded)


@pytest.mark.parametrize(
    "q",
    ["op_time=[yesterday~]", "operation_result=maybe", "password=x", "username=", "resource=~'; DROP TABLE x;--\x00"],
)
def test_a_wrong_filter_is_refused(sessions: sessionmaker[Session], q: str) -> None:
    with pytest.raises(BadRequest):
        listed(sessions, q)


@pytest.mark.parametrize("q", ["username=' OR 1=1 --", "resource=~%' OR pg_sleep(5) IS NULL --", "username=~\\"])
def test_sql_in_a_filter_is_text(record: Record, sessions: sessionmaker[Session], q: str) -> None:
    record(push(1))
    assert listed(sessions, q).records == []
