"""Replication policies through the API: made, shown, changed, deleted; their schedules; and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.core.people import ADMIN, Api, code, sentence
from tests.integration.core.policies import POLICIES, body, rows, written
from tests.integration.core.rows import execution_of, policy_of, registry_of

NIGHTLY = {"type": "scheduled", "trigger_settings": {"cron": "0 0 2 * * *"}}


@pytest.fixture(scope="module")
def registry(api: Api) -> int:
    return registry_of(api)


def next_at(api: Api, number: int) -> datetime | None:
    [(moment,)] = rows(api, "SELECT next_at FROM replication.policies WHERE id = %s", number)
    return moment


def test_a_policy_is_made_shown_and_told(api: Api, registry: int) -> None:
    wanted = body(
        registry, "whole", description="to the branch office", dest_namespace="copies/of",
        dest_namespace_replace_count=1, trigger=NIGHTLY, deletion=True, override=True, enabled=True, speed=500,
        copy_by_chunk=True, single_active_replication=True, concurrency=4, copy_labels=True, id=7,
        src_registry={"id": 0},
        filters=[
            {"type": "name", "value": "library/**"}, {"type": "tag", "value": "v*"},
            {"type": "tag", "value": "*-dev", "decoration": "excludes"},
            {"type": "label", "value": ["stable", "signed"], "decoration": "matches"},
            {"type": "resource", "value": "image"},
        ],
    )  # fmt: skip
    number = api.made(POLICIES, wanted)
    shown = api.get(f"{POLICIES}/{number}").json
    registry_shown = api.get(f"/registries/{registry}").json
    assert {name: shown[name] for name in shown if not name.endswith("_time")} == {
        "id": number, "name": "whole", "description": "to the branch office",
        "src_registry": {"id": 0, "name": "Local", "type": "harbor", "status": "healthy"},
        "dest_registry": registry_shown,
        "dest_namespace": "copies/of", "dest_namespace_replace_count": 1, "trigger": NIGHTLY,
        "filters": [
            {"type": "name", "value": "library/**"}, {"type": "tag", "value": "v*"},
            {"type": "tag", "value": "*-dev", "decoration": "excludes"},
            {"type": "label", "value": ["stable", "signed"], "decoration": "matches"},
            {"type": "resource", "value": "image"},
        ],
        "deletion": True, "replicate_deletion": True, "override": True, "enabled": True, "speed": 500,
        "copy_by_chunk": True, "single_active_replication": True, "concurrency": 4,
        "copy_labels": True, "copy_retention": False, "waiting": 0,
    }  # fmt: skip
    assert shown in api.get(POLICIES).json
    told = api.events("replication_policy.created")[-1]
    assert (told["subject"], told["data"]["policy_id"]) == ("whole", number)
    assert rows(api, "SELECT creator FROM replication.policies WHERE id = %s", number) == [("admin",)]


def test_what_is_not_named_is_empty_or_false(api: Api, registry: int) -> None:
    number = api.made(POLICIES, {"name": "bare", "src_registry": {"id": registry}})
    shown = api.get(f"{POLICIES}/{number}").json
    assert (shown["src_registry"]["id"], shown["dest_registry"]["id"]) == (registry, 0)
    assert shown["trigger"] == {"type": "manual"}
    assert shown["dest_namespace_replace_count"] == -1
    assert (shown["filters"], shown["speed"], shown["dest_namespace"], shown["concurrency"]) == ([], 0, "", 16)
    flags = ("deletion", "override", "enabled", "copy_by_chunk", "single_active_replication", "copy_labels",
             "copy_retention")  # fmt: skip
    assert not any(shown[each] for each in flags)


@pytest.mark.parametrize("spelling", ["deletion", "replicate_deletion"])
def test_deletion_has_two_spellings(api: Api, registry: int, spelling: str) -> None:
    number = api.made(POLICIES, body(registry, f"with {spelling}", **{spelling: True}))
    shown = api.get(f"{POLICIES}/{number}").json
    assert shown["deletion"] is shown["replicate_deletion"] is True


def test_a_speed_below_nothing_is_no_limit(api: Api, registry: int) -> None:
    number = api.made(POLICIES, body(registry, "as fast as it goes", speed=-1))
    assert api.get(f"{POLICIES}/{number}").json["speed"] == 0


@pytest.mark.parametrize("value", ["", []])
def test_an_empty_label_filter_may_come_in_either_form(api: Api, registry: int, value: object) -> None:
    number = policy_of(api, registry, filters=[{"type": "label", "value": value}])
    assert api.get(f"{POLICIES}/{number}").json["filters"] == [{"type": "label", "value": []}]


UNFIT = {
    "no name": ({"name": " "}, "name"),
    "a long name": ({"name": "n" * 257}, "name"),
    "no other side": ({"dest_registry": {"id": 0}}, "registry"),
    "no side at all": ({"dest_registry": None}, "registry"),
    "two other sides": ({"src_registry": {"id": 1}}, "registry"),
    "a registry that is missing": ({"dest_registry": {"id": 999999999}}, "999999999"),
    "a number that no registry has": ({"dest_registry": {"id": 2**40}}, "out of range"),
    "a namespace that is none": ({"dest_namespace": "Not/A/Name"}, "dest_namespace"),
    "too few to replace": ({"dest_namespace_replace_count": -2}, "replace_count"),
    "an unknown filter": ({"filters": [{"type": "digest", "value": "x"}]}, "filter"),
    "a decorated name": ({"filters": [{"type": "name", "value": "x", "decoration": "excludes"}]}, "decoration"),
    "a label that is a text": ({"filters": [{"type": "label", "value": "x"}]}, "label"),
    "a name that is a list": ({"filters": [{"type": "name", "value": ["x"]}]}, "name"),
    "an unknown resource": ({"filters": [{"type": "resource", "value": "chart"}]}, "resource"),
    "an unknown trigger": ({"trigger": {"type": "sometimes"}}, "trigger"),
    "no schedule": ({"trigger": {"type": "scheduled"}}, "cron"),
    "each minute": ({"trigger": {"type": "scheduled", "trigger_settings": {"cron": "0 * * * * *"}}}, "minutes"),
    "at a second": ({"trigger": {"type": "scheduled", "trigger_settings": {"cron": "1 0 2 * * *"}}}, "first field"),
    "events one at a time": (
        {"trigger": {"type": "event_based"}, "single_active_replication": True}, "single_active_replication"
    ),
    "too fast": ({"speed": 2**31}, "speed"),
    "none at once": ({"concurrency": 0}, "concurrency"),
    "a number for a name": ({"name": 5}, "name"),
    "a text for a flag": ({"enabled": "yes"}, "enabled"),
    "a number for a filter": ({"filters": [{"type": "name", "value": 5}]}, "value"),
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "named"), UNFIT.values(), ids=UNFIT)
def test_an_unfit_policy_is_refused_in_a_sentence_and_nothing_is_written(
    api: Api, registry: int, wrong: dict[str, Any], named: str
) -> None:
    number = policy_of(api, registry)
    before = written(api)
    for method, path in (("POST", POLICIES), ("PUT", f"{POLICIES}/{number}")):
        answer = api.send(method, path, ADMIN, body(registry, "unfit") | wrong)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST"), answer.text
        assert named in sentence(answer)
    assert written(api) == before


def test_only_what_is_here_is_followed_by_events_and_filtered_by_labels(api: Api) -> None:
    plain = registry_of(api, type="docker-registry")
    pulling = {"name": "pulling", "src_registry": {"id": plain}}
    before = written(api)
    for wrong in ({"trigger": {"type": "event_based"}}, {"filters": [{"type": "label", "value": ["stable"]}]}):
        assert api.send("POST", POLICIES, ADMIN, pulling | wrong).status_code == 400
    assert written(api) == before
    filters = [{"type": "label", "value": ["stable"]}]
    api.made(POLICIES, body(plain, "pushing", filters=filters, trigger={"type": "event_based"}))


def test_a_name_is_given_once(api: Api, registry: int) -> None:
    policy_of(api, registry, name="taken")
    other = policy_of(api, registry)
    before = written(api)
    assert api.send("POST", POLICIES, ADMIN, body(registry, "taken")).status_code == 409
    assert api.send("PUT", f"{POLICIES}/{other}", ADMIN, body(registry, "taken")).status_code == 409
    assert written(api) == before


def test_a_change_puts_another_policy_in_its_place(api: Api, registry: int) -> None:
    number = policy_of(
        api, registry, name="replaced", trigger=NIGHTLY, override=True, filters=[{"type": "name", "value": "a"}]
    )
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, body(registry, "replaced")).status_code == 200
    shown = api.get(f"{POLICIES}/{number}").json
    assert (shown["trigger"], shown["override"], shown["enabled"], shown["filters"]) == (
        {"type": "manual"}, False, False, [],
    )  # fmt: skip
    changed = api.events("replication_policy.updated")[-1]["data"]["changed"]
    assert changed == ["cron", "enabled", "filters", "override", "trigger"]


def test_a_policy_that_is_sent_back_as_it_was_shown_stays_what_it_is(api: Api, registry: int) -> None:
    number = policy_of(api, registry, trigger=NIGHTLY, filters=[{"type": "tag", "value": "v*"}], deletion=True)
    before = written(api)
    shown = api.get(f"{POLICIES}/{number}").json
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, shown).status_code == 200
    assert written(api) == before


def test_a_schedule_is_set_with_its_policy_and_goes_with_it(api: Api, registry: int) -> None:
    now = datetime.now(UTC)
    number = policy_of(api, registry, name="nightly", trigger=NIGHTLY)
    due = next_at(api, number)
    assert due
    assert (due.astimezone(UTC).hour, due.minute, due.second) == (2, 0, 0)
    assert 0 < (due - now).total_seconds() <= 24 * 3600
    as_before = body(registry, "nightly", trigger=NIGHTLY, enabled=True)
    for change in ({"enabled": False}, {"trigger": {"type": "manual"}}, {"trigger": {"type": "event_based"}}):
        api.send("PUT", f"{POLICIES}/{number}", ADMIN, as_before | change)
        assert next_at(api, number) is None, change
        api.send("PUT", f"{POLICIES}/{number}", ADMIN, as_before)
        assert next_at(api, number) == due
    disabled = policy_of(api, registry, trigger=NIGHTLY, enabled=False)
    assert next_at(api, disabled) is None


def test_what_is_due_is_not_passed_over_by_a_change_of_something_else(api: Api, registry: int) -> None:
    number = policy_of(api, registry, name="due", trigger=NIGHTLY)
    rows(api, "UPDATE replication.policies SET next_at = '2026-01-01Z' WHERE id = %s RETURNING id", number)
    wanted = body(registry, "due", trigger=NIGHTLY, enabled=True, speed=9)
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, wanted).status_code == 200
    assert next_at(api, number) == datetime(2026, 1, 1, tzinfo=UTC)


def _copied(api: Api, number: int) -> None:
    rows(
        api,
        """
        WITH waiting AS (
            INSERT INTO replication.changes (policy_id, source, reference, due_at)
            VALUES (%s, 'library/app', '1.0', now())
        )
        INSERT INTO replication.copies (policy_id, source, reference, target, digest, copied_at)
        VALUES (%s, 'library/app', '1.0', 'copies/app', 'sha256:abc', now()) RETURNING 1
        """,
        number,
        number,
    )


def _known(api: Api, number: int) -> tuple[int, int]:
    [(changes, copies)] = rows(
        api,
        """
        SELECT (SELECT count(*) FROM replication.changes WHERE policy_id = %s),
               (SELECT count(*) FROM replication.copies WHERE policy_id = %s)
        """,
        number,
        number,
    )
    return changes, copies


EVENTS: dict[str, Any] = {"trigger": {"type": "event_based"}, "enabled": True}


def test_what_a_policy_copied_and_waits_for_stays_while_it_is_about_the_same(api: Api, registry: int) -> None:
    number = policy_of(api, registry, name="keeps", **EVENTS)
    _copied(api, number)
    api.send("PUT", f"{POLICIES}/{number}", ADMIN, body(registry, "keeps", **EVENTS, override=True))
    assert _known(api, number) == (1, 1)
    api.send("PUT", f"{POLICIES}/{number}", ADMIN, body(registry, "keeps", enabled=True))
    assert _known(api, number) == (0, 1)


def test_to_another_registry_a_policy_has_copied_nothing_yet(api: Api, registry: int) -> None:
    """A deletion follows what a policy has copied: it must not follow it to a registry that never had it."""
    number = policy_of(api, registry, name="turns", **EVENTS)
    _copied(api, number)
    api.send("PUT", f"{POLICIES}/{number}", ADMIN, body(registry_of(api), "turns", **EVENTS))
    assert _known(api, number) == (0, 0)


@pytest.mark.parametrize("state", ["preparing", "running"])
def test_while_an_execution_runs_its_policy_stays_and_keeps_its_registry(
    api: Api, registry: int, state: str
) -> None:
    number = policy_of(api, registry, name=f"held while {state}")
    execution, _ = execution_of(api, number, state, *(["running"] if state == "running" else []))
    before = written(api)
    answer = api.send("DELETE", f"{POLICIES}/{number}")
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert "stop it first" in answer.json["errors"][0]["message"]
    turned = body(registry_of(api), f"held while {state}")
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, turned).status_code == 409
    assert written(api) == before
    assert api.send("PUT", f"{POLICIES}/{number}", ADMIN, body(registry, f"held while {state}")).status_code == 200
    rows(api, "UPDATE replication.executions SET stopping = true WHERE id = %s RETURNING id", execution)
    answer = api.send("DELETE", f"{POLICIES}/{number}")
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    assert "is being stopped" in answer.json["errors"][0]["message"]
    rows(
        api,
        """
        UPDATE replication.executions SET state = 'failed', in_progress = 0, failed = total, ended_at = now()
        WHERE id = %s RETURNING id
        """,
        execution,
    )
    assert api.send("DELETE", f"{POLICIES}/{number}").status_code == 200


def test_a_deleted_policy_is_gone_with_its_record(api: Api, registry: int) -> None:
    number = policy_of(api, registry, name="goes")
    execution_of(api, number, "succeeded", "succeeded", "succeeded")
    _copied(api, number)
    assert api.send("DELETE", f"{POLICIES}/{number}").status_code == 200
    left = rows(
        api,
        """
        SELECT (SELECT count(*) FROM replication.executions WHERE policy_id = %s),
               (SELECT count(*) FROM replication.tasks WHERE policy_id = %s)
        """,
        number,
        number,
    )
    assert (left, _known(api, number)) == ([(0, 0)], (0, 0))
    assert api.events("replication_policy.deleted")[-1]["data"]["policy_id"] == number
    for method, sent in (("GET", None), ("PUT", body(registry, "goes")), ("DELETE", None)):
        assert api.send(method, f"{POLICIES}/{number}", ADMIN, sent).status_code == 404
    assert api.get(f"/registries/{registry}").status_code == 200


def test_policies_are_listed_newest_first_with_filters(api: Api, registry: int) -> None:
    for name in ("listed-a", "listed-b", "listed-c"):
        policy_of(api, registry, name=name, trigger=NIGHTLY if name == "listed-b" else {"type": "manual"})
    named = f"{POLICIES}?name=LISTED-"
    assert [each["name"] for each in api.get(named).json] == ["listed-c", "listed-b", "listed-a"]
    assert [each["name"] for each in api.get(f"{named}&sort=name").json] == ["listed-a", "listed-b", "listed-c"]
    assert [each["name"] for each in api.get(f"{named}&q=trigger=scheduled").json] == ["listed-b"]
    assert [each["name"] for each in api.get(f"{POLICIES}?q=name=listed-a").json] == ["listed-a"]
    page = api.get(f"{named}&page_size=1&page=2&sort=name")
    assert ([each["name"] for each in page.json], page.headers["x-total-count"]) == (["listed-b"], "3")
    assert 'rel="next"' in page.headers["link"]


def test_a_robot_of_the_system_does_what_it_was_given(api: Api, registry: int) -> None:
    robot = api.robot(None, system=(("replication-policy", "create"), ("replication-policy", "read")))
    number = api.made(POLICIES, body(registry, "of a robot"), robot)
    assert api.get(f"{POLICIES}/{number}", robot).status_code == 200
    for method, path, sent in (
        ("GET", POLICIES, None), ("PUT", f"{POLICIES}/{number}", body(registry, "stolen")),
        ("DELETE", f"{POLICIES}/{number}", None), ("POST", "/replication/executions", {"policy_id": number}),
        ("GET", f"/registries/{registry}", None),
    ):  # fmt: skip
        assert api.send(method, path, robot, sent).status_code == 403, (method, path)
    assert api.get(f"{POLICIES}/{number}").json["name"] == "of a robot"
