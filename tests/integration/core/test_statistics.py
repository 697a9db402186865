"""Statistics day by day, and the state of the record's integrity: operations of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.api.commands.sampling import sample_storage
from shared.db import engine, session_factory
from tests.integration.core.people import ADMIN, Api, Caller

DAY = timedelta(days=1)


def counted(api: Api, project: str, *, days_ago: int, pushes: int, pulls: int) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO audit.days AS d (project, day, pushes, pulls)
            SELECT scope, (now() AT TIME ZONE 'UTC')::date - %s, %s, %s FROM unnest(ARRAY['', %s]) scope
            ON CONFLICT (project, day) DO UPDATE
                SET pushes = d.pushes + excluded.pushes, pulls = d.pulls + excluded.pulls
            """,
            (days_ago, pushes, pulls, project),
        )


def made_days_ago(api: Api, project: str, days: int) -> None:
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.projects SET created_at = now() - %s WHERE name = %s", (days * DAY, project))


def daily(api: Api, caller: Caller = ADMIN, query: str = "") -> list[tuple[int, int]]:
    return [(each["pushes"], each["pulls"]) for each in api.get(f"/statistics/daily{query}", caller).json]


def test_members_see_their_projects_and_administrators_everything(api: Api) -> None:
    mine, others = api.project(), api.project(public=True)
    made_days_ago(api, mine, 5)
    member, before = api.member(mine, "guest"), daily(api)
    counted(api, mine, days_ago=1, pushes=2, pulls=7)
    counted(api, mine, days_ago=6, pushes=100, pulls=100)
    counted(api, others, days_ago=0, pushes=1, pulls=1)
    assert daily(api, member) == [(0, 0)] * 12 + [(2, 7), (0, 0)]
    gained = [(new[0] - old[0], new[1] - old[1]) for old, new in zip(before, daily(api), strict=True)]
    assert gained == [(0, 0)] * 7 + [(100, 100)] + [(0, 0)] * 4 + [(2, 7), (1, 1)]
    assert daily(api, api.user()) == [(0, 0)] * 14


@pytest.mark.parametrize(("query", "length"), [("?days=1", 1), ("?days=90", 90), ("", 14)])
def test_as_many_days_as_asked_for_end_today(api: Api, query: str, length: int) -> None:
    found = api.get(f"/statistics/daily{query}").json
    assert len(found) == length
    assert found[-1]["day"] == f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.mark.parametrize("days", ["0", "91", "-1", "x"])
def test_another_number_of_days_is_refused(api: Api, days: str) -> None:
    assert api.get(f"/statistics/daily?days={days}").status_code == 422


def test_storage_is_sampled_by_day_and_today_is_as_it_is_now(api: Api) -> None:
    project, now = api.project(), datetime.now(UTC)
    member = api.member(project, "guest")
    bind = engine(api.database.settings("metadata"))
    for days_ago, held in ((100, 1), (2, 10), (1, 20), (1, 30)):
        with api.database.superuser() as connection:
            connection.execute("UPDATE core.projects SET storage_used = %s WHERE name = %s", (held, project))
        with session_factory(bind).begin() as session:
            sample_storage(session, now - days_ago * DAY)
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.projects SET storage_used = 40 WHERE name = %s", (project,))
        kept = connection.execute(
            "SELECT count(*) FROM core.storage_days d JOIN core.projects p ON p.id = d.project_id WHERE p.name = %s",
            (project,),
        ).fetchone()
    bind.dispose()
    assert kept == (2,)
    found = api.get("/statistics/daily?days=4", member).json
    assert [each.get("storage") for each in found] == [None, 10, 30, 40]


def test_a_check_of_the_record_is_asked_for_once_and_shown(api: Api) -> None:
    assert [each["scope"] for each in api.get("/system/audit-checks").json] == ["recent", "all"]
    assert api.send("POST", "/system/audit-checks").status_code == 202
    [recent, whole] = api.get("/system/audit-checks").json
    assert api.send("POST", "/system/audit-checks").status_code == 202
    assert api.get("/system/audit-checks").json[0]["asked_time"] == recent["asked_time"]
    assert "asked_time" not in whole
