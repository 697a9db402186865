"""Lists of artifacts: what filters and orders give, by which plan, and how fast among a million rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from services.api.queries.artifact import list_artifacts, list_project_artifacts
from services.api.queries.repository import list_project_repositories, list_repositories, search_repositories
from services.api.queries.tag import list_tags
from shared.auth.principals import Principal, PrincipalKind
from shared.errors import NotFound
from shared.listing import Listing, parse_order, parse_terms
from shared.names import RepositoryName
from tests.integration.conftest import Database

NAME = RepositoryName("library/app")
ADMIN = Principal(kind=PrincipalKind.USER, id=1, name="admin", is_admin=True)


def fill(database: Database, artifacts: int, *, repository: str = "library/app") -> None:
    """Artifacts by the thousand, every second one tagged, none of them pushed; counters as the catalogue keeps them."""
    with database.superuser() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO core.repositories (project_id, name, artifact_count) VALUES (1, %s, %s)",
            (repository, artifacts),
        )
        connection.execute(
            """
            INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type, size,
                                        extra_attrs, pushed_at, listed)
            SELECT 1, r.id, 'sha256:' || md5(r.id || '/' || n) || md5('x' || n),
                   CASE n %% 10 WHEN 0 THEN 'CHART' ELSE 'IMAGE' END, 'config', 'manifest', n,
                   '{"architecture": "amd64", "os": "linux"}', now() - make_interval(secs => n), n %% 11 <> 0
            FROM core.repositories r, generate_series(1, %s) n WHERE r.name = %s
            """,
            (artifacts + artifacts // 10, repository),
        )
        connection.execute(
            """
            INSERT INTO core.tags (repository_id, artifact_id, name)
            SELECT a.repository_id, a.id, 'v' || a.size FROM core.artifacts a
            JOIN core.repositories r ON r.id = a.repository_id WHERE a.size %% 2 = 0 AND a.listed AND r.name = %s
            """,
            (repository,),
        )
        connection.execute(
            "UPDATE core.projects SET artifact_count = artifact_count + %s, repository_count = repository_count + 1"
            " WHERE id = 1", (artifacts,),
        )  # fmt: skip
        connection.execute("VACUUM ANALYZE core.artifacts, core.tags, core.repositories, core.artifact_references")


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """The statements that a session sends."""
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    bind = session.get_bind().engine
    event.listen(bind, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(bind, "before_cursor_execute", note)


def listing(q: str = "", sort: str = "", page: int = 1, page_size: int = 10) -> Listing:
    return Listing(page=page, page_size=page_size, terms=parse_terms(q), order=parse_order(sort))


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database, 100)
    return database


@pytest.mark.usefixtures("filled")
def test_a_page_takes_the_same_few_statements_whatever_its_size(api_sessions: sessionmaker[Session]) -> None:
    counts = set()
    for size in (1, 10, 100):
        with api_sessions() as session, statements(session) as sent:
            list_artifacts(session, listing(page_size=size), repository=NAME)
            counts.add(len(sent))
    assert counts == {4}


@pytest.mark.usefixtures("filled")
def test_the_newest_come_first_and_the_total_is_the_counter(api_sessions: sessionmaker[Session]) -> None:
    with api_sessions() as session:
        page = list_artifacts(session, listing(page_size=5), repository=NAME)
        assert page.total == 100
        assert [artifact.size for artifact in page.records] == [1, 2, 3, 4, 5]
        last = list_artifacts(session, listing(page=10), repository=NAME)
        assert [artifact.size for artifact in last.records] == [100, *range(101, 110)]
        assert list_artifacts(session, listing(page=12), repository=NAME).records == []
        everything = list_artifacts(session, listing(page_size=0), repository=NAME)
        assert len(everything.records) == 100


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("base=*", 110),
        ("tags=*", 50),
        ("tags=nil", 50),
        ("tags=v4", 1),
        ("tags=v3", 0),
        ("tags=~V1", 10),
        ("tags={v2 v4 v3}", 2),
        ("tags=(v2 v4)", 0),
        ("type=CHART", 10),
        ("type=IMAGE,tags=*", 40),
        ("size=[10~19]", 9),
        ("labels=(1)", 0),
        ("digest=sha256:none", 0),
        ("unknown=1", 100),
    ],
)
@pytest.mark.usefixtures("filled")
def test_filters_choose_and_count(api_sessions: sessionmaker[Session], q: str, expected: int) -> None:
    with api_sessions() as session:
        page = list_artifacts(session, listing(q, page_size=100), repository=NAME)
    assert page.total == expected
    assert len(page.records) == min(expected, 100)


@pytest.mark.usefixtures("filled")
def test_an_order_is_followed(api_sessions: sessionmaker[Session]) -> None:
    with api_sessions() as session:
        by_size = list_artifacts(session, listing(sort="-size", page_size=3), repository=NAME)
        oldest = list_artifacts(session, listing(sort="push_time", page_size=3), repository=NAME)
    assert [artifact.size for artifact in by_size.records] == [109, 108, 107]
    assert [artifact.size for artifact in oldest.records] == [109, 108, 107]


def test_a_projects_artifacts_are_those_of_its_repositories(
    filled: Database, api_sessions: sessionmaker[Session]
) -> None:
    fill(filled, 20, repository="library/other")
    with api_sessions() as session:
        page = list_project_artifacts(session, listing(page_size=100), project_id=1)
        assert (page.total, len(page.records)) == (120, 100)
        latest = list_project_artifacts(session, listing(), project_id=1, latest_only=True)
    assert {(artifact.repository_name, artifact.size) for artifact in latest.records} == {
        ("library/other", 1), ("library/app", 1),
    }  # fmt: skip
    assert latest.total == 2


def test_an_unknown_repository_is_not_found(api_sessions: sessionmaker[Session]) -> None:
    with api_sessions() as session, pytest.raises(NotFound):
        list_artifacts(session, listing(), repository=NAME)


def test_repositories_are_listed_and_searched(filled: Database, api_sessions: sessionmaker[Session]) -> None:
    fill(filled, 10, repository="library/other_app")
    with api_sessions() as session:
        page = list_project_repositories(session, listing(), project_id=1)
        assert (page.total, [found.name for found in page.records]) == (2, ["library/other_app", "library/app"])
        assert list_project_repositories(session, listing("name=~other"), project_id=1).total == 1
        assert list_project_repositories(session, listing(), project_id=2).records == []
        assert list_repositories(session, ADMIN, listing()).total == 2
        assert [found.repository.name for found in search_repositories(session, ADMIN, "R_a")] == ["library/other_app"]


def test_an_artifacts_tags_are_a_list_of_their_own(filled: Database, api_sessions: sessionmaker[Session]) -> None:
    with filled.superuser() as connection:
        row = connection.execute("SELECT artifact_id FROM core.tags WHERE name = 'v4'").fetchone()
    assert row is not None
    with api_sessions() as session:
        assert [tag.name for tag in list_tags(session, listing(), artifact_id=row[0]).records] == ["v4"]
        assert list_tags(session, listing("name=other"), artifact_id=row[0]).total == 0


PLANS = [
    ("", "", "ix_artifacts_repository_pushed"),
    ("", "push_time", "ix_artifacts_repository_pushed"),
    ("", "-pull_time", "ix_artifacts_repository_pulled"),
    ("", "pull_time", "ix_artifacts_repository_pulled"),
    ("", "-size", "ix_artifacts_repository_size"),
    ("", "digest", "uq_artifacts_repository_digest"),
    ("", "-type", "ix_artifacts_repository_type"),
    ("base=*", "", "ix_artifacts_repository_every"),
    ("tags=nil", "", "ix_artifacts_repository_pushed"),
    ("tags=*", "", "ix_artifacts_repository_pushed"),
    ("tags=v40000", "", "uq_tags_repository_name"),
    ("tags=~v4000", "", "ix_tags_name_text"),
    ("type=CHART", "", "ix_artifacts_repository_type"),
    ("digest=sha256:none", "", "uq_artifacts_repository_digest"),
    ("size=[100~120]", "", "ix_artifacts_repository_size"),
    ("push_time=[2020-01-01T00:00:00~]", "", "ix_artifacts_repository_pushed"),
]


def test_lists_of_a_repository_go_by_an_index(database: Database, api_sessions: sessionmaker[Session]) -> None:
    fill(database, 50_000)
    fill(database, 50_000, repository="library/other")
    for q, sort, index in PLANS:
        with api_sessions() as session, explained(session) as plans:
            list_artifacts(session, listing(q, sort), repository=NAME)
        assert any(index in plan for plan in plans), (q, sort, plans)
        assert not any("Seq Scan on artifacts" in plan for plan in plans), (q, sort, plans)


@pytest.mark.parametrize(
    ("q", "sort", "index"),
    [
        ("", "", "ix_repositories_created"),
        ("", "creation_time", "ix_repositories_created"),
        ("", "-update_time", "ix_repositories_updated"),
        ("", "update_time", "ix_repositories_updated"),
        ("", "-name", "uq_repositories_name"),
        ("name=~app1999", "", "ix_repositories_name_text"),
        ("name=library/app19999", "", "uq_repositories_name"),
    ],
)
@pytest.mark.usefixtures("many_repositories")
def test_lists_of_repositories_go_by_an_index(
    api_sessions: sessionmaker[Session], q: str, sort: str, index: str
) -> None:
    with api_sessions() as session, explained(session, "FROM core.repositories") as plans:
        list_repositories(session, ADMIN, listing(q, sort))
    assert all(index in plan and "Seq Scan on repositories" not in plan for plan in plans), plans


@pytest.fixture
def many_repositories(database: Database) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.repositories (project_id, name, created_at, updated_at)"
            " SELECT 1, 'library/app' || n, now() - n * interval '1 s', now() - n * 7919 % 20011 * interval '1 s'"
            " FROM generate_series(1, 20000) n"
        )
        connection.execute("VACUUM ANALYZE core.repositories")


def test_what_was_never_pulled_sorts_as_pulled_before_all_else(
    filled: Database, api_sessions: sessionmaker[Session]
) -> None:
    with filled.superuser() as connection:
        connection.execute(
            "UPDATE core.artifacts SET pulled_at = now() - size * interval '1 day' WHERE size IN (5, 6, 7)"
        )
    with api_sessions() as session:
        by_time = [
            [artifact.size for artifact in list_artifacts(session, listing("", sort), repository=NAME).records]
            for sort in ("-pull_time", "pull_time")
        ]
        whole = list_artifacts(session, listing(sort="pull_time", page_size=0), repository=NAME).records
    assert by_time[0][:3] == [5, 6, 7]
    assert all(artifact.pulled_at is None for artifact in whole[:-3])
    assert [artifact.size for artifact in whole[-3:]] == [7, 6, 5]


@pytest.mark.parametrize("sort", ["type", "-type", "media_type", "-pull_time", "artifact_type,-size", ""])
@pytest.mark.usefixtures("filled")
def test_pages_of_any_order_hold_each_artifact_once(api_sessions: sessionmaker[Session], sort: str) -> None:
    with api_sessions() as session:
        pages = [
            list_artifacts(session, listing(sort=sort, page=page, page_size=7), repository=NAME)
            for page in range(1, 16)
        ]
    seen = [artifact.id for page in pages for artifact in page.records]
    assert len(seen) == len(set(seen)) == 100


@contextmanager
def explained(session: Session, on: str = "FROM core.artifacts") -> Iterator[list[str]]:
    """The plans of the statements on a table that a session sends."""
    plans: list[str] = []

    def explain(_connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if on in statement:
            with cursor.connection.cursor() as other:  # type: ignore[attr-defined]
                rows = other.execute(f"EXPLAIN {statement}", parameters).fetchall()
            plans.append("\n".join(row[0] for row in rows))

    bind = session.get_bind().engine
    event.listen(bind, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(bind, "before_cursor_execute", explain)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_million_rows_are_as_fast_as_a_thousand(
    database: Database, api_sessions: sessionmaker[Session]
) -> None:
    fill(database, 1_000, repository="library/small")
    fill(database, 1_000_000, repository="library/large")

    sizes = {"library/small": 1_000, "library/large": 1_000_000}
    took: dict[str, list[float]] = {repository: [] for repository in sizes}
    with api_sessions() as session:
        for page in [*range(1, 101)] * 4:
            for repository, size in sizes.items():
                began = time.perf_counter()
                found = list_artifacts(session, listing(page=page), repository=RepositoryName(repository))
                took[repository].append(time.perf_counter() - began)
                assert (found.total, len(found.records)) == (size, 10)
    small, large = (sorted(times[100:])[int(len(times[100:]) * 0.95)] for times in took.values())
    assert large / small <= 1.5, (small, large)
