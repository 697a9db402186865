"""Retention policies in the API: made, changed, deleted, begun, stopped and shown; what they do is tested elsewhere."""

from typing import Any

import pytest

from tests.integration.core.people import ADMIN, NOBODY, Api, code, sentence
from tests.integration.core.rows import artifact_of

DAILY = "0 0 0 * * *"


def selector(pattern: str, decoration: str) -> dict[str, object]:
    return {"kind": "doublestar", "decoration": decoration, "pattern": pattern}


def rule(template: str = "latestPushedK", number: int | None = 1, *, repositories: str = "**") -> dict[str, Any]:
    return {
        "action": "retain",
        "template": template,
        "params": {} if number is None else {template: number},
        "tag_selectors": [selector("**", "matches")],
        "scope_selectors": {"repository": [selector(repositories, "repoMatches")]},
    }


def project_id(api: Api, name: str) -> int:
    return int(api.get(f"/projects/{name}").json["project_id"])


def policy(api: Api, name: str, *rules: dict[str, Any], cron: str = "") -> dict[str, Any]:
    return {
        "algorithm": "or",
        "rules": list(rules or [rule()]),
        "trigger": {"kind": "Schedule", "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": project_id(api, name)},
    }


def rows(api: Api, query: str, *values: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query.encode(), values).fetchall()


def policies(api: Api, name: str) -> list[tuple[Any, ...]]:
    return rows(api, "SELECT id FROM core.retention_policies WHERE project_id = %s", project_id(api, name))


def test_a_policy_is_made_and_named_by_its_project(api: Api) -> None:
    name = api.project()
    number = api.made("/retentions", policy(api, name, rule(), rule("always", None), cron=DAILY))
    shown = api.get(f"/retentions/{number}").json
    assert (shown["id"], shown["algorithm"], shown["scope"]["level"]) == (number, "or", "project")
    assert [(each["id"], each["template"], each["params"]) for each in shown["rules"]] == [
        (0, "latestPushedK", {"latestPushedK": 1}), (1, "always", {})
    ]  # fmt: skip
    assert shown["trigger"]["settings"]["cron"] == DAILY
    assert shown["trigger"]["settings"]["next_scheduled_time"].endswith("T00:00:00.000Z")
    assert api.get(f"/projects/{name}/metadatas").json["retention_id"] == str(number)
    told = [each["data"]["changed"] for each in api.events("project.updated") if each["data"]["project"] == name]
    assert told == [["retention_policy"]]


def test_what_is_shown_can_be_put_back_and_a_change_replaces_all(api: Api) -> None:
    name = api.project()
    number = api.made("/retentions", policy(api, name, cron=DAILY))
    shown = api.get(f"/retentions/{number}").json
    assert api.send("PUT", f"/retentions/{number}", ADMIN, shown).status_code == 200
    assert api.get(f"/retentions/{number}").json == shown
    changed = policy(api, name, rule("nDaysSinceLastPull", 7))
    assert api.send("PUT", f"/retentions/{number}", ADMIN, changed).status_code == 200
    shown = api.get(f"/retentions/{number}").json
    assert [each["template"] for each in shown["rules"]] == ["nDaysSinceLastPull"]
    assert shown["trigger"] == {"kind": "Schedule", "settings": {"cron": ""}, "references": {}}
    assert rows(api, "SELECT id FROM core.schedules WHERE owner_id = %s", number) == []


def test_a_project_has_one_policy(api: Api) -> None:
    name = api.project()
    number = api.made("/retentions", policy(api, name))
    answer = api.send("POST", "/retentions", ADMIN, policy(api, name, rule("always", None)))
    assert (answer.status_code, sentence(answer)) == (400, "the project has a retention policy already")
    assert policies(api, name) == [(number,)]


def test_a_deleted_policy_leaves_nothing(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app", "v1")
    number = api.made("/retentions", policy(api, name, cron=DAILY))
    api.made(f"/retentions/{number}/executions", {"dry_run": True})
    assert api.send("DELETE", f"/retentions/{number}").status_code == 200
    assert api.get(f"/retentions/{number}").status_code == 404
    assert "retention_id" not in api.get(f"/projects/{name}/metadatas").json
    assert rows(api, "SELECT id FROM core.schedules WHERE owner_id = %s", number) == []
    assert rows(api, "SELECT id FROM core.retention_executions WHERE policy_id = %s", number) == []
    assert api.made("/retentions", policy(api, name)) != number


def test_a_deleted_project_takes_its_policy_along(api: Api) -> None:
    name = api.project()
    number = api.made("/retentions", policy(api, name, cron=DAILY))
    held = policies(api, name)
    assert api.send("DELETE", f"/projects/{name}").status_code == 200
    assert held == [(number,)]
    assert rows(api, "SELECT id FROM core.retention_policies WHERE id = %s", number) == []
    assert rows(api, "SELECT id FROM core.schedules WHERE owner_id = %s", number) == []


def test_the_number_in_the_metadata_is_not_a_clients_word(api: Api) -> None:
    mine, other = api.project(), api.project()
    number = api.made("/retentions", policy(api, other))
    entry = f"/projects/{mine}/metadatas/retention_id"
    body = {"retention_id": str(number)}
    assert api.send("PUT", entry, ADMIN, body).status_code == 400
    assert api.send("POST", f"/projects/{mine}/metadatas", ADMIN, body).status_code == 400
    assert api.send("PUT", f"/projects/{mine}", ADMIN, {"metadata": body}).status_code == 200
    assert "retention_id" not in api.get(f"/projects/{mine}/metadatas").json
    assert api.send("DELETE", f"/projects/{other}/metadatas/retention_id").status_code == 400
    assert api.get(f"/projects/{other}/metadatas").json["retention_id"] == str(number)


SELECTOR = selector("**", "matches")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"algorithm": "and"}, 400),
        ({"rules": [rule()] * 2}, 409),
        ({"rules": [rule(number=number) for number in range(16)]}, 400),
        ({"rules": [rule("newest")]}, 400),
        ({"rules": [rule(number=-1)]}, 400),
        ({"rules": [rule(number=40_000)]}, 400),
        ({"rules": [rule(number=None)]}, 400),
        ({"rules": [rule() | {"params": {"latestPushedK": "1"}}]}, 400),
        ({"rules": [rule() | {"params": {"latestPushedK": True}}]}, 400),
        ({"rules": [rule() | {"params": {"latestPulledN": 1}}]}, 400),
        ({"rules": [rule() | {"action": "delete"}]}, 400),
        ({"rules": [rule() | {"tag_selectors": []}]}, 400),
        ({"rules": [rule() | {"tag_selectors": [SELECTOR | {"kind": "regex"}]}]}, 400),
        ({"rules": [rule() | {"tag_selectors": [SELECTOR | {"decoration": "repoMatches"}]}]}, 400),
        ({"rules": [rule() | {"scope_selectors": {}}]}, 400),
        ({"rules": [rule() | {"scope_selectors": {"project": [SELECTOR]}}]}, 400),
        ({"rules": "all"}, 400),
        ({"trigger": {"kind": "Event"}}, 400),
        ({"trigger": {"settings": {"cron": "* * * * *"}}}, 400),
        ({"trigger": {"settings": {"cron": "0 0 0 30 2 *"}}}, 400),
        ({"trigger": {"settings": {"cron": 5}}}, 400),
        ({"trigger": {"settings": {"cron": "* * * * * *"}}}, 400),
        ({"scope": {"level": "system", "ref": 1}}, 400),
        ({"scope": {"level": "project", "ref": 0}}, 404),
        ({"scope": {"level": "project", "ref": 2**40}}, 404),
    ],
)
def test_a_policy_that_cannot_be_is_refused_and_not_kept(api: Api, change: dict[str, object], status: int) -> None:
    name = api.project()
    body = policy(api, name) | change
    assert api.send("POST", "/retentions", ADMIN, body).status_code == status
    assert policies(api, name) == []
    number = api.made("/retentions", policy(api, name, cron=DAILY))
    before = api.get(f"/retentions/{number}").json
    answer = api.send("PUT", f"/retentions/{number}", ADMIN, body)
    assert answer.status_code in {status, 400}
    assert api.get(f"/retentions/{number}").json == before


def test_a_policy_is_not_moved_to_another_project(api: Api) -> None:
    mine, other = api.project(), api.project()
    number = api.made("/retentions", policy(api, mine))
    assert api.send("PUT", f"/retentions/{number}", ADMIN, policy(api, other)).status_code == 400
    assert policies(api, other) == []


def test_a_policy_of_a_closed_project_looks_like_a_missing_one(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app", "v1")
    number = api.made("/retentions", policy(api, name))
    execution = api.made(f"/retentions/{number}/executions", {"dry_run": True})
    elsewhere = api.member(api.project(), "projectAdmin")
    calls = [
        ("GET", "", None), ("PUT", "", policy(api, name)), ("DELETE", "", None),
        ("GET", "/executions", None), ("POST", "/executions", {}),
        ("PATCH", f"/executions/{execution}", {"action": "stop"}),
        ("GET", f"/executions/{execution}/tasks", None), ("GET", f"/executions/{execution}/tasks/1", None),
    ]  # fmt: skip
    for method, rest, body in calls:
        answers = [api.send(method, f"/retentions/{n}{rest}", elsewhere, body) for n in (number, 999_999)]
        assert [each.status_code for each in answers] == [403, 403], (method, rest)
        assert answers[0].text == answers[1].text
        assert api.send(method, f"/retentions/{number}{rest}", NOBODY, body).status_code == 401
    assert api.get(f"/retentions/{number}/executions").json[0]["status"] == "Running"


def test_an_execution_has_a_task_for_each_repository_that_a_rule_is_about(api: Api) -> None:
    name = api.project()
    for repository in ("web/app", "web/db", "other"):
        artifact_of(api, name, repository, "v1")
    off = rule(repositories="**") | {"disabled": True}
    number = api.made("/retentions", policy(api, name, rule(repositories="web/*"), off))
    execution = api.made(f"/retentions/{number}/executions", {"dry_run": True})
    (shown,) = api.get(f"/retentions/{number}/executions").json
    assert (shown["id"], shown["policy_id"], shown["dry_run"]) == (execution, number, True)
    assert (shown["status"], shown["trigger"]) == ("Running", "MANUAL")
    tasks = api.get(f"/retentions/{number}/executions/{execution}/tasks")
    assert [(each["repository"], each["status"], each["status_code"]) for each in tasks.json] == [
        (f"{name}/web/app", "Pending", 0), (f"{name}/web/db", "Pending", 0)
    ]  # fmt: skip
    assert tasks.headers["x-total-count"] == "2"
    answer = api.get(f"/retentions/{number}/executions/{execution}/tasks/{tasks.json[0]['id']}")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "Dry Run: true" in answer.text


def test_an_execution_without_a_repository_ends_at_once(api: Api) -> None:
    name = api.project()
    number = api.made("/retentions", policy(api, name))
    api.made(f"/retentions/{number}/executions", {"dry_run": False})
    (shown,) = api.get(f"/retentions/{number}/executions").json
    assert shown["status"] == "Success"
    (told,) = [each["data"] for each in api.events("retention.finished") if each["data"]["project"] == name]
    assert (told["total"], told["deleted"], told["status"], told["dry_run"]) == (0, 0, "Success", False)


def test_what_is_under_way_is_not_begun_again(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app", "v1")
    number = api.made("/retentions", policy(api, name))
    api.made(f"/retentions/{number}/executions", {"dry_run": True})
    answer = api.send("POST", f"/retentions/{number}/executions", ADMIN, {"dry_run": True})
    assert (answer.status_code, code(answer)) == (409, "CONFLICT")
    api.made(f"/retentions/{number}/executions", {"dry_run": False})
    assert len(api.get(f"/retentions/{number}/executions").json) == 2


def test_a_stopped_execution_begins_nothing_and_stays_stopped(api: Api) -> None:
    name = api.project()
    artifact_of(api, name, "app", "v1")
    number = api.made("/retentions", policy(api, name))
    execution = api.made(f"/retentions/{number}/executions", {"dry_run": False})
    path = f"/retentions/{number}/executions/{execution}"
    assert api.send("PATCH", path, ADMIN, {"action": "pause"}).status_code == 400
    assert api.get(f"/retentions/{number}/executions").json[0]["status"] == "Running"
    for _ in range(2):
        assert api.send("PATCH", path, ADMIN, {"action": "stop"}).status_code == 200
    assert api.get(f"/retentions/{number}/executions").json[0]["status"] == "Stopped"
    (task,) = api.get(f"{path}/tasks").json
    assert (task["status"], task["status_code"]) == ("Stopped", 3)
    assert "stopped" in api.get(f"{path}/tasks/{task['id']}").text
    told = [each["data"]["status"] for each in api.events("retention.finished") if each["data"]["project"] == name]
    assert told == ["Stopped"]


def test_executions_and_tasks_of_others_are_not_found(api: Api) -> None:
    mine, other = api.project(), api.project()
    artifact_of(api, other, "app", "v1")
    theirs = api.made("/retentions", policy(api, other))
    execution = api.made(f"/retentions/{theirs}/executions", {"dry_run": True})
    (task,) = api.get(f"/retentions/{theirs}/executions/{execution}/tasks").json
    number = api.made("/retentions", policy(api, mine))
    own = api.made(f"/retentions/{number}/executions", {"dry_run": True})
    admin = api.member(mine, "projectAdmin")
    for method, path, body in (
        ("PATCH", f"/retentions/{number}/executions/{execution}", {"action": "stop"}),
        ("GET", f"/retentions/{number}/executions/{execution}/tasks", None),
        ("GET", f"/retentions/{number}/executions/{execution}/tasks/{task['id']}", None),
        ("GET", f"/retentions/{number}/executions/{own}/tasks/{task['id']}", None),
    ):
        assert api.send(method, path, admin, body).status_code == 404, path
    assert rows(api, "SELECT status FROM core.retention_tasks WHERE id = %s", task["id"]) == [("Pending",)]


@pytest.mark.parametrize("number", ["x", "1.5"])
def test_a_number_that_is_none_is_refused(api: Api, number: str) -> None:
    assert api.get(f"/retentions/{number}").status_code == 422


def test_rules_can_be_made_of_what_is_listed(api: Api) -> None:
    choices = api.get("/retentions/metadatas", api.user()).json
    templates = [each["rule_template"] for each in choices["templates"]]
    assert templates == ["latestPushedK", "latestPulledN", "nDaysSinceLastPush", "nDaysSinceLastPull", "always"]
    name = api.project()
    rules = [rule(template, 0 if template == "always" else 3) for template in templates]
    assert api.made("/retentions", policy(api, name, *rules))


def test_schedules_of_all_kinds_are_listed_and_never_paused(api: Api) -> None:
    name = api.project()
    number = api.made("/retentions", policy(api, name, cron=DAILY))
    listed = api.get("/schedules?page_size=100").json
    (mine,) = [each for each in listed if each["vendor_id"] == number]
    assert (mine["vendor_type"], mine["cron"]) == ("RETENTION", DAILY)
    robot = api.robot(None, system=(("jobservice-monitor", "list"),))
    assert api.get("/schedules?page_size=100", robot).json == listed
    assert api.get("/schedules/all/paused", api.user()).json == {"paused": False}
    assert api.get("/schedules/retention/paused").status_code == 400
