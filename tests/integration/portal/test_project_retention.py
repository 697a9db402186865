"""The retention of a project in the portal: rules in plain words, changed one at a time, tried and run."""

from typing import Any

import pytest

from tests.integration.core.people import Api
from tests.integration.core.rows import artifact_of
from tests.integration.core.test_retention import policy, rule
from tests.integration.portal.browsing import HOSTILE
from tests.integration.portal.filling import person

KEEP_ALL = "In repositories matching **, keep all artifacts with tags matching **"


def _policy(api: Api, project: str) -> dict[str, Any] | None:
    number = api.get(f"/projects/{project}").json["metadata"].get("retention_id")
    return api.get(f"/retentions/{number}").json if number else None


def _templates(api: Api, project: str) -> list[tuple[str, bool]]:
    found = _policy(api, project)
    assert found
    return [(each["template"], each["disabled"]) for each in found["rules"]]


def _runs(api: Api, project: str) -> list[dict[str, Any]]:
    found = _policy(api, project)
    assert found
    return list(api.get(f"/retentions/{found['id']}/executions").json)


@pytest.mark.parametrize(
    ("role", "may"),
    [("projectAdmin", True), ("maintainer", True), ("developer", True), ("guest", False), ("limitedGuest", False)],
)
def test_a_role_sees_and_is_offered_what_it_may(api: Api, role: str, may: bool) -> None:  # noqa: FBT001 - a column
    project = api.project()
    api.made("/retentions", policy(api, project, rule("always", None)))
    member, path = person(api, api.member(project, role)), f"/projects/{project}/retention"
    page = member.open(path)
    assert (page.status, KEEP_ALL in page.words) == ((200, True) if may else (403, False))
    forms = [f"{path}/rules/new", *(f"{path}/rules/0/{verb}" for verb in ("edit", "switch", "remove"))]
    forms += [f"{path}/schedule", f"{path}/run"]
    assert [page.offers(form) for form in forms] == [may] * 6
    assert [member.open(form).status for form in forms] == [200 if may else 403] * 6
    assert page.offers(f"{path}/dry-run") is may
    assert member.post(f"{path}/run").status == (303 if may else 403)
    assert len(_runs(api, project)) == (1 if may else 0)


def test_the_first_rule_makes_the_policy_and_says_what_it_keeps(api: Api) -> None:
    project = api.project()
    member, path = person(api, api.member(project, "developer")), f"/projects/{project}/retention"
    assert "Nothing is deleted by itself" in member.open(path).words
    values = {"tag_pattern": "release-*", "untagged": [], "number": "10"}
    added = member.fill(f"{path}/rules/new", values, part="sheet")
    assert (added.status, added.went_to) == (200, path)
    said = "In repositories matching **, keep the 10 most recently pushed artifacts with tags matching release-*."
    assert said in member.open(path).words
    found = _policy(api, project)
    assert found
    assert found["rules"][0]["params"] == {"latestPushedK": 10}
    assert found["rules"][0]["tag_selectors"] == [
        {"kind": "doublestar", "decoration": "matches", "pattern": "release-*", "extras": '{"untagged": false}'}
    ]
    again = member.fill(f"{path}/rules/new", values)
    assert again.status == 409
    assert len(_templates(api, project)) == 1


def test_rules_are_edited_switched_and_removed_one_at_a_time(api: Api) -> None:
    project = api.project()
    api.made("/retentions", policy(api, project, rule("always", None), rule("latestPushedK", 3), cron="0 0 0 * * *"))
    admin, path = person(api), f"/projects/{project}/retention"
    assert admin.fill(f"{path}/rules/1/switch").notice == "The rule is disabled."
    changed = {"template": "nDaysSinceLastPull", "number": "7", "repo_pattern": HOSTILE}
    edited = admin.fill(f"{path}/rules/1/edit", changed)
    assert edited.status == 303
    assert _templates(api, project) == [("always", False), ("nDaysSinceLastPull", True)]
    page = admin.open(path)
    assert f"In repositories matching {HOSTILE}, keep the artifacts pulled within the last 7 days" in page.words
    assert "<script>alert" not in page.html
    assert admin.fill(f"{path}/rules/1/switch").notice == "The rule is in force."
    assert admin.fill(f"{path}/rules/0/remove").notice == "The rule is removed."
    assert _templates(api, project) == [("nDaysSinceLastPull", False)]
    found = _policy(api, project)
    assert found
    assert found["trigger"]["settings"]["cron"] == "0 0 0 * * *"


def test_a_rule_that_was_changed_meanwhile_is_not_overwritten(api: Api) -> None:
    project = api.project()
    number = api.made("/retentions", policy(api, project, rule("always", None), rule("latestPushedK", 3)))
    admin, path = person(api), f"/projects/{project}/retention/rules/0/remove"
    seen = dict(admin.open(path).form(path).fields)
    other = policy(api, project, rule("latestPushedK", 3))
    assert api.send("PUT", f"/retentions/{number}", body=other).status_code == 200
    refused = admin.post(path, seen)
    assert (refused.status, "Somebody has changed the rules meanwhile" in refused.words) == (409, True)
    assert _templates(api, project) == [("latestPushedK", False)]


def test_several_patterns_of_a_rule_survive_an_edit(api: Api) -> None:
    project = api.project()
    several = rule("always", None)
    several["scope_selectors"]["repository"].append(
        {"kind": "doublestar", "decoration": "repoExcludes", "pattern": "test/**"}
    )
    api.made("/retentions", policy(api, project, several))
    admin, path = person(api), f"/projects/{project}/retention"
    assert "In repositories matching ** and not matching test/**, keep all" in admin.open(path).words
    assert admin.fill(f"{path}/rules/0/edit", {"template": "latestPulledN", "number": "2"}).status == 303
    assert "In repositories matching ** and not matching test/**, keep the 2 most" in admin.open(path).words


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"number": "-1"}, ("number", "-1")), ({"number": "ten"}, ("number", "ten")),
        ({"repo_pattern": ""}, ("repo_pattern", "")), ({"tag_pattern": "a" * 256}, ("tag_pattern", "a" * 256)),
        ({"template": "no-such"}, ("repo_pattern", "**")),
    ],
    ids=str,
)  # fmt: skip
def test_a_refused_rule_keeps_what_was_typed(api: Api, changed: dict[str, str], kept: tuple[str, str]) -> None:
    project = api.project()
    path = f"/projects/{project}/retention/rules/new"
    refused = person(api).fill(path, changed)
    assert (refused.status, 'role="alert"' in refused.html) == (400, True)
    assert kept in refused.form(path).fields
    assert _policy(api, project) is None


@pytest.mark.parametrize(
    ("fields", "cron"),
    [
        ({"schedule": "0 0 * * * *"}, "0 0 * * * *"), ({"schedule": ""}, ""),
        ({"schedule": "own", "cron": "0 30 2 * * 1-5"}, "0 30 2 * * 1-5"),
        ({"schedule": "own", "cron": "every day"}, None), ({"schedule": "own", "cron": ""}, None),
    ],
)  # fmt: skip
def test_a_schedule_is_set_or_refused(api: Api, fields: dict[str, str], cron: str | None) -> None:
    project = api.project()
    api.made("/retentions", policy(api, project, rule("always", None), cron="0 0 0 * * *"))
    path = f"/projects/{project}/retention/schedule"
    sent = person(api).fill(path, fields)
    assert sent.status == (400 if cron is None else 303)
    found = _policy(api, project)
    assert found
    assert found["trigger"]["settings"]["cron"] == ("0 0 0 * * *" if cron is None else cron)
    assert _templates(api, project) == [("always", False)]


def test_a_dry_run_is_begun_followed_and_stopped(api: Api) -> None:
    project = api.project()
    artifact_of(api, project, "app", "one")
    api.made("/retentions", policy(api, project, rule("latestPushedK", 1)))
    admin, path = person(api), f"/projects/{project}/retention"
    begun = admin.post(f"{path}/dry-run")
    (run,) = _runs(api, project)
    assert (run["dry_run"], begun.went_to) == (True, f"{path}/runs/{run['id']}")
    page = admin.open(begun.went_to)
    assert f"{project}/app" in page.words
    assert 'hx-trigger="every 2s"' in page.html
    log = next(link for link in page.links if "/tasks/" in link)
    assert "Dry Run: true" in admin.open(log, part="sheet").words
    assert 'hx-trigger="every 2s"' in admin.open(path, part="list").html
    assert admin.post(f"{path}/dry-run").status == 409
    assert admin.post(f"{begun.went_to}/stop").went_to == begun.went_to
    assert _runs(api, project)[0]["status"] == "Stopped"
    ended = admin.open(begun.went_to)
    assert 'hx-trigger="every 2s"' not in ended.html
    assert not ended.offers(f"{begun.went_to}/stop")


def test_runs_of_another_project_are_not_found_here(api: Api) -> None:
    project, other = api.project(), api.project()
    for each in (project, other):
        api.made("/retentions", policy(api, each, rule("always", None)))
    admin = person(api)
    run = admin.post(f"/projects/{other}/retention/dry-run").went_to.rpartition("/")[2]
    assert admin.open(f"/projects/{project}/retention/runs/{run}").status == 404
    assert admin.post(f"/projects/{project}/retention/runs/{run}/stop").status == 404
    assert admin.open(f"/projects/{project}/retention/rules/1/edit").status == 404
