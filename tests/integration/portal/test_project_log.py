"""The audit log of a project in the portal."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.core.people import Api
from tests.integration.core.rows import label_of
from tests.integration.core.test_auditlog import Recorded, recorded
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person

__all__ = ["recorded"]


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", True), ("maintainer", False), ("developer", False), ("guest", False), ("limitedGuest", False)],
)
def test_only_project_admins_see_the_log(api: Api, role: str, may: bool) -> None:  # noqa: FBT001 - a column
    project = api.project()
    member = person(api, api.member(project, role))
    assert member.open(f"/projects/{project}/log").status == (200 if may else 403)
    assert member.open(f"/projects/{project}").offers(f"/projects/{project}/log") is may


def test_the_log_says_what_happened_and_is_filtered_by_its_address(api: Api, recorded: Recorded) -> None:
    project = api.project()
    number = api.get(f"/projects/{project}").json["project_id"]
    member = api.member(project, "maintainer")
    label = {"name": HOSTILE, "scope": "p", "project_id": number}
    api.made("/labels", label, member)
    admin, path = person(api), f"/projects/{project}/log"
    assert "Nothing is recorded yet" in admin.open(path).words
    recorded()
    page = admin.open(path)
    assert f"add user {member.name} to {project} as maintainer" in page.words
    assert HOSTILE in page.words
    assert "<script>alert" not in page.html

    def shown(query: str) -> list[bool]:
        part = admin.open(f"{path}?{query}", part="list")
        assert part.html.lstrip().startswith('<section id="list"')
        return ["as maintainer" in part.words, HOSTILE in part.words]

    assert shown("type=label") == [False, True]
    assert shown("type=member&operation=create") == [True, False]
    assert shown("operation=delete") == [False, False]
    assert shown(f"actor={member.name}") == [False, True]
    soon, before = (datetime.now(UTC) + timedelta(minutes=5 * sign) for sign in (1, -1))
    assert shown(f"since={soon:%Y-%m-%dT%H:%M}") == [False, False]
    assert shown(f"since={before:%Y-%m-%dT%H:%M}&until={soon:%Y-%m-%dT%H:%M}") == [True, True]
    assert shown("type=no-such-type&operation=no-such") == [True, True]
    kept = dict(admin.open(f"{path}?type=label&actor=%3Cb%3E&operation=create").form(path).fields)
    assert (kept["type"], kept["actor"], kept["operation"]) == ("label", "<b>", "create")


def test_a_time_that_is_none_is_said_and_left_out(api: Api, recorded: Recorded) -> None:
    project = api.project()
    label_of(api, project)
    recorded()
    page = person(api).open(f"/projects/{project}/log?since=yesterday")
    assert (page.status, "The times are left out" in page.words, project in page.words) == (200, True, True)


def test_pages_follow_each_other(api: Api, recorded: Recorded) -> None:
    project = api.project()
    number = api.get(f"/projects/{project}").json["project_id"]
    for each in range(26):
        api.made("/labels", {"name": f"label-{each:02}", "scope": "p", "project_id": number})
    recorded()
    admin, path = person(api), f"/projects/{project}/log?type=label"
    first = admin.open(path)
    assert "26 records · page 1 of 2" in first.words
    following = next(link for link in first.links if "page=2" in link)
    assert "label-00" in admin.open(following).words
    assert "type=label" in following
