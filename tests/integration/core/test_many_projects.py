"""Seventy thousand projects that somebody may see: no list asks the database for them one by one."""

import pytest

from tests.integration.core.people import NOBODY, Api, Caller, sentence

MANY = 70_000  # more than the 65,535 parameters that a statement may have


@pytest.fixture(scope="module")
def public(api: Api) -> str:
    """The beginning of the names of public projects, each with a repository."""
    fill(api, "open", public=True)
    return "open"


def fill(api: Api, prefix: str, *, public: bool) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            """
            WITH made AS (
                INSERT INTO core.projects (name, owner_id, public, repository_count)
                SELECT %s || n, 1, %s, 1 FROM generate_series(1, %s) n RETURNING id, name
            )
            INSERT INTO core.repositories (project_id, name, created_at)
            SELECT id, name || '/app', now() - id * interval '1 second' FROM made
            """,
            (prefix, public, MANY),
        )
        connection.execute("ANALYZE core.projects, core.repositories")


def own(api: Api, *, of: str) -> Caller:
    """Somebody who administers all projects whose names begin so."""
    caller = api.user()
    with api.database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.members (project_id, user_id, role_id)"
            " SELECT p.id, u.id, 1 FROM core.projects p, core.users u"
            " WHERE starts_with(p.name, %s) AND u.username = %s",
            (of, caller.name),
        )
        connection.execute("ANALYZE core.members")
    return caller


def test_the_repositories_of_all_that_is_public_are_listed_and_counted(api: Api, public: str) -> None:
    for caller in (api.user(), NOBODY):
        answer = api.get("/repositories?page_size=3", caller)
        assert answer.status_code == 200, answer.text
        assert [each["name"] for each in answer.json] == [f"{public}{number}/app" for number in (1, 2, 3)]
        assert answer.headers["x-total-count"] == str(MANY)
        last = api.get(f"/repositories?page={MANY // 100}&page_size=100", caller)
        assert last.json[-1]["name"] == f"{public}{MANY}/app"
        narrowed = api.get(f"/repositories?q=name=~{public}6999", caller)
        assert narrowed.headers["x-total-count"] == "11"


def test_a_search_among_all_that_is_public_finds_by_name(api: Api, public: str) -> None:
    found = api.get(f"/search?q={public}69999", api.user())
    assert found.status_code == 200, found.text
    assert [each["name"] for each in found.json["project"]] == [f"{public}69999"]
    assert [each["repository_name"] for each in found.json["repository"]] == [f"{public}69999/app"]


@pytest.mark.parametrize("path", ["/projects", "/repositories"])
def test_a_whole_list_that_is_too_long_is_refused_not_cut_off(api: Api, public: str, path: str) -> None:
    answer = api.get(f"{path}?page_size=0")
    assert answer.status_code == 422
    assert "page_size=0 asks for the whole list, which has more than 10,000 entries" in sentence(answer)
    whole = api.get(f"{path}?page_size=0&q=name=~{public}1234")
    assert whole.status_code == 200
    assert str(len(whole.json)) == whole.headers["x-total-count"] == "11"


def test_what_is_private_stays_hidden_among_them(api: Api, public: str) -> None:
    hidden = api.project()
    member = api.member(hidden, "guest")
    with api.database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.repositories (project_id, name)"
            " SELECT id, name || '/app' FROM core.projects WHERE name = %s", (hidden,)
        )
        connection.execute("UPDATE core.projects SET repository_count = 1 WHERE name = %s", (hidden,))
    assert api.get("/repositories?page_size=1", member).json[0]["name"] == f"{hidden}/app"
    assert api.get("/repositories?page_size=1", member).headers["x-total-count"] == str(MANY + 1)
    assert api.get("/repositories?page_size=1", api.user()).json[0]["name"] == f"{public}1/app"
    assert api.get(f"/search?q={hidden}", api.user()).json == {"project": [], "repository": []}


def test_the_log_of_all_projects_that_somebody_administers_is_listed(api: Api, public: str) -> None:
    administrator = own(api, of=public)
    with api.database.superuser() as connection:
        connection.execute("SELECT audit.prepare(now())")
        connection.execute(
            """
            INSERT INTO audit.records (sequence, recorded_at, event_id, event_type, occurred_at, actor, actor_kind,
                operation, resource_type, resource, project, address, client, request_id, succeeded, occurrences,
                description)
            SELECT n, now(), gen_random_uuid(), 'a type', now() - n * interval '1 second', 'alice', 'user', 'pull',
                'artifact', p.name || '/app:v1', p.name, '', '', '', true, 1, ''
            FROM generate_series(1, 30) n, LATERAL (SELECT %s || CASE WHEN n < 21 THEN n ELSE %s + n END AS name) p
            """,
            (public, MANY),
        )
        connection.execute(
            "INSERT INTO audit.tallies (project, dimension, value, records)"
            " SELECT project, '', '', count(*) FROM audit.records GROUP BY project"
        )
        connection.execute("UPDATE core.projects SET created_at = now() - interval '1 day'")
    answer = api.get("/audit-logs?page_size=5", administrator)
    assert answer.status_code == 200, answer.text
    assert [each["resource"] for each in answer.json] == [f"{public}{number}/app:v1" for number in range(1, 6)]
    assert answer.headers["x-total-count"] == "20"
    assert api.get("/audit-logs?q=resource=~app", administrator).headers["x-total-count"] == "20"
