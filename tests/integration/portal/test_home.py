"""The portal's first page: for strangers, on a fresh system, and when there is something to see."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.portal.pages.home.attention import dead_letters
from gateway.portal.pages.home.charts import pulls_and_pushes, storage
from services.audit.commands import record_batch
from services.audit.domain.chain import ChainKey
from shared.db import engine, session_factory
from shared.events.envelope import parse
from shared.secrets import Secret
from tests.integration.core.people import ADMIN, Api, Caller
from tests.integration.core.rows import artifact_of, execution_of, policy_of, registry_of
from tests.integration.portal.browsing import HOSTILE, Browser

KEY = ChainKey(Secret("the chain's key of a test"))


@pytest.fixture(scope="module")
def admin(api: Api) -> Browser:
    return Browser(api).sign_in(ADMIN)


@pytest.fixture
def empty(api: Api) -> None:
    """No image anywhere."""
    with api.database.superuser() as connection:
        connection.execute("DELETE FROM core.repositories")
        connection.execute("UPDATE core.projects SET repository_count = 0, artifact_count = 0")


@pytest.fixture
def images(api: Api) -> None:
    artifact_of(api, "library", "app")


def recorded(api: Api) -> None:
    """The audit service takes what waits in the outbox, as when the relay has passed it on."""
    bind = engine(api.database.settings("audit"))
    with api.database.superuser() as connection:
        rows = connection.execute("SELECT body FROM events.outbox ORDER BY id").fetchall()
    with session_factory(bind).begin() as session:
        record_batch(session, [parse(row[0]) for row in rows], key=KEY, now=datetime.now(UTC))
    bind.dispose()


def quota(api: Api, project: str, used: int, limit: int) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            "UPDATE core.projects SET storage_used = %s, storage_limit = %s WHERE name = %s", (used, limit, project)
        )


def test_a_stranger_is_told_what_this_is_and_sees_public_projects_alone(api: Api) -> None:
    public, private = api.project(public=True), api.project()
    page = Browser(api).read("/")
    assert {"/sign-in", f"/projects/{public}"} <= page.links()
    assert private not in page.text
    assert "docker login registry.test" in page.text
    assert Browser(api).get("/attention").status_code == 303


@pytest.mark.usefixtures("empty")
def test_a_fresh_system_leads_to_the_first_image_and_notices_it(api: Api, admin: Browser) -> None:
    page = admin.get("/").text
    assert "Three steps to the first image" in page
    assert "docker push registry.test/" in page
    assert 'hx-trigger="every 5s"' in page
    assert "breakwater.artifact.pushed.v1" in page
    artifact_of(api, "library", "app")
    after = admin.get("/", part="list").text
    assert after.lstrip().startswith('<section id="list"')
    assert "Three steps" not in after
    assert "every 5s" not in after


@pytest.mark.usefixtures("empty")
def test_steps_that_are_done_are_marked(api: Api) -> None:
    caller = api.user(admin=True)
    browser = Browser(api).sign_in(caller)
    assert "Change the password" in browser.get("/", part="list").text
    project = api.project()
    changed = {"old_password": caller.password, "new_password": "Another1horse"}
    path = f"/users/{api.user_id(caller)}/password"
    assert api.send("PUT", path, caller, changed).status_code == 200
    recorded(api)
    again = Browser(api).sign_in(Caller(name=caller.name, password="Another1horse"))
    page = again.get("/", part="list").text
    assert page.count('<li class="done">') == 2
    assert f"registry.test/{project}/hello-world:v1" in page


@pytest.mark.usefixtures("empty")
def test_others_than_administrators_are_not_led(api: Api) -> None:
    assert "Three steps" not in Browser(api).sign_in(api.user()).get("/").text


@pytest.mark.usefixtures("images")
def test_figures_charts_and_their_numbers_are_shown(api: Api, admin: Browser) -> None:
    project = api.project()
    member = Browser(api).sign_in(api.member(project, "guest"))
    with api.database.superuser() as connection:
        connection.execute("UPDATE core.projects SET created_at = now() - interval '3 d' WHERE name = %s", (project,))
        connection.execute(
            "INSERT INTO audit.days SELECT s, (now() AT TIME ZONE 'UTC')::date - 1, 1234, 5678 "
            "FROM unnest(ARRAY['', %s]) s",
            (project,),
        )
    quota(api, project, 3 * 1024**3, -1)
    for browser in (admin, member):
        page = browser.get("/").text
        assert "1,234 pushes" in page
        assert ">5,678</td>" in page
        assert page.count('role="img"') == 2
        assert "3.0 GiB" in page
    other = Browser(api).sign_in(api.user()).get("/").text
    assert "1,234" not in other
    assert 'role="img"' not in other


@pytest.mark.usefixtures("images")
def test_what_happened_last_is_shown_as_text(api: Api, admin: Browser) -> None:
    api.made("/labels", {"name": HOSTILE[:40], "scope": "g"})
    recorded(api)
    page = admin.get("/").text
    assert "create label" in page
    assert "<script>alert" not in page


def test_administrators_see_what_is_not_well(api: Api, admin: Browser) -> None:
    registry = registry_of(api, name=f"ill{uuid4().hex[:8]}")
    execution, _ = execution_of(api, policy_of(api, registry), "failed", "failed")
    project = api.project()
    quota(api, project, 90, 100)
    with api.database.superuser() as connection:
        connection.execute("UPDATE replication.registries SET status = 'unhealthy' WHERE id = %s", (registry,))
    page = admin.read("/attention")
    assert f"Project {project} has used 90 % of its quota" in page.text
    assert {
        f"/replication/executions/{execution}", f"/replication/registries/{registry}", f"/projects/{project}",
        "/admin/health",
    } <= page.links()  # fmt: skip
    part = admin.get("/attention", part="attention").text
    assert part.lstrip().startswith('<section id="attention"')


@pytest.mark.parametrize(("used", "shown"), [(84, False), (85, True), (100, True)])
def test_members_see_their_projects_quotas_and_nothing_else(api: Api, used: int, shown: bool) -> None:  # noqa: FBT001
    project, other = api.project(), api.project()
    quota(api, project, used, 100)
    quota(api, other, 99, 100)
    page = Browser(api).sign_in(api.member(project, "guest")).read("/attention")
    assert (f"/projects/{project}" in page.links()) is shown
    assert other not in page.text


def test_dead_letters_are_told_by_their_queue() -> None:
    queues = [{"name": "audit", "dead_letters": 0}, {"name": "webhook", "dead_letters": 2}]
    [matter] = dead_letters(queues)
    assert matter.sentence == "2 events could not be worked on in the queue webhook"
    assert matter.path == "/admin/queues/webhook"


def test_bars_are_as_high_as_their_numbers() -> None:
    days = [{"day": f"2026-03-{day:02}", "pulls": day, "pushes": 0, "storage": day * 1024} for day in range(1, 15)]
    chart = pulls_and_pushes(days)
    heights = [bar.height for bar in chart.bars]
    assert len(heights) == 14  # a day without pushes has no bar of them
    assert heights == sorted(heights)
    assert [line.text for line in chart.lines] == ["0", "10", "20"]
    assert chart.summary == "105 pulls and 0 pushes in 14 days"
    assert storage(days).summary == "14.0 KiB used now"


def test_days_without_anything_have_no_chart() -> None:
    days = [{"day": "2026-03-01", "pulls": 0, "pushes": 0}]
    assert pulls_and_pushes(days).is_empty
    assert storage(days).is_empty
