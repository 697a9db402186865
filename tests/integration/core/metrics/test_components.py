"""What Prometheus is told of the whole: to whom, in which forms, and each number by the state it stands for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway.core.health import SERVICES
from gateway.core.metrics.components import READABLE, build_components
from gateway.core.metrics.family import Family
from gateway.core.metrics.parts import TELLING
from shared.metrics.figures import CONSUMED, HTTP_REQUESTS, HTTP_SECONDS, State
from shared.metrics.tally import Tally
from tests.integration.conftest import Database
from tests.integration.core.metrics.scraping import COMPONENTS, rows, scrape, serving, tell, values
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller
from tests.servers import short_folder

READ = (("metrics", "read"),)


@pytest.mark.parametrize("component", COMPONENTS)
def test_administrators_and_robots_with_the_permission_read_every_component(api: Api, component: str) -> None:
    for caller in (ADMIN, api.user(admin=True), api.robot(None, system=READ)):
        found = scrape(api.client, caller, f"comp={component}")
        assert found["component_readable", frozenset({("component", component)})] == 1
        assert {dict(labels)["component"] for name, labels in found if name == "component_readable"} == {component}


@pytest.mark.parametrize("query", ["", *(f"comp={component}" for component in COMPONENTS)])
def test_nobody_else_reads_any(api: Api, query: str) -> None:
    project = api.project()
    others = [
        api.user(), api.member(project, "projectAdmin"), api.robot(project, ("repository", "pull")),
        api.robot(None, system=(("jobservice-monitor", "list"),)),
    ]  # fmt: skip
    asked = [api.client.simulate_get("/metrics", query_string=query, headers=each.headers) for each in others]
    assert {answer.status_code for answer in asked} == {403}
    for stranger in (NOBODY, Caller(name="admin", password="Wrong1password")):
        answer = api.client.simulate_get("/metrics", query_string=query, headers=stranger.headers)
        assert answer.status_code == 401
        assert "breakwater_" not in answer.text


def test_without_a_component_named_each_reads_all_that_he_may(api: Api) -> None:
    replication = (("replication-policy", "list"), ("replication", "list"), ("registry", "list"))
    for system, expected in ((READ, set(COMPONENTS)), (replication, {"replication"})):
        found = scrape(api.client, api.robot(None, system=system))
        assert {dict(labels)["component"] for name, labels in found if name == "component_readable"} == expected


def test_an_unknown_component_is_refused_with_the_known_ones(api: Api) -> None:
    answer = api.client.simulate_get("/metrics", query_string="comp=nothing", headers=ADMIN.headers)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["message"] == f"comp must be one of {', '.join(COMPONENTS)}"
    assert answer.headers["cache-control"] == "no-store"


def test_a_robot_cannot_be_given_it_in_a_project(api: Api) -> None:
    body = {
        "name": "sly", "level": "project", "duration": -1,
        "permissions": [
            {"kind": "project", "namespace": "library", "access": [{"resource": "metrics", "action": "read"}]}
        ],
    }  # fmt: skip
    assert api.send("POST", "/robots", body=body).status_code == 400


def declared(api: Api) -> dict[str, Family]:
    """Every metric by the names that its values bear."""
    components = build_components(api.database.settings("core")).values()
    families = [READABLE, *(family for component in components for family in component.catalogue)]
    return {name.removeprefix("breakwater_"): family for family in families for name in family.sample_names}


def test_nothing_is_told_that_is_not_declared_with_its_labels(api: Api) -> None:
    families = declared(api)
    for name, labels in scrape(api.client):
        assert {label for label, _ in labels} - {"le"} == set(families[name].labels), name


def test_no_label_holds_what_a_client_chooses(api: Api) -> None:
    labels = {label for family in declared(api).values() for label in family.labels}
    assert not labels & {"path", "user", "repository", "project", "address", "actor", "agent"}


def test_both_forms_of_the_exposition_hold_the_same(api: Api) -> None:
    tally = Tally()
    tally.count(HTTP_REQUESTS, "api", "GET", "200")
    tally.time(HTTP_SECONDS, 0.03, "api")
    tell(api.database, "core", tally)
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    plain = api.client.simulate_get("/metrics", headers=ADMIN.headers)
    newer = api.client.simulate_get("/metrics", headers=ADMIN.headers | accept)
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert {family.name for family in read_openmetrics(newer.text)} == {
        family.name.removesuffix("_total") for family in read_text(plain.text)
    }


def test_a_part_is_up_while_it_tells_of_itself(api: Api) -> None:
    assert {part: up for part, up in values(api, "up", "part").items() if part in TELLING} == dict.fromkeys(TELLING, 0)
    for part in TELLING:
        tell(api.database, part)
    rows(api.database, "UPDATE metrics.parts SET told_at = now() - interval '2 min' WHERE part = 'relay'")
    assert values(api, "up", "part") == {
        **dict.fromkeys(TELLING, 1), "relay": 0, "postgres": 1, "rabbitmq": 1, "registry": 0, "proxy": 0,
    }
    with serving(api.database.settings("core")) as client:
        told = {each["name"]: each for each in client.simulate_get("/api/v2.0/health").json["components"]}
    states = {part: told[part]["status"] for part in SERVICES}
    assert states == {**dict.fromkeys(SERVICES, "healthy"), "relay": "unhealthy"}
    assert told["relay"]["error"].startswith("it has told nothing of itself for 12")


def test_what_processes_of_a_part_have_counted_is_told_as_one(api: Api) -> None:
    for seconds in (0.004, 0.2, 60.0):
        tally = Tally()
        tally.count(HTTP_REQUESTS, "api", "GET", "200")
        tally.time(HTTP_SECONDS, seconds, "api")
        tell(api.database, "core", tally)
    found = scrape(api.client)
    of_core = {("part", "core"), ("area", "api")}
    assert found["http_requests_total", frozenset({*of_core, ("method", "GET"), ("status", "200")})] == 3
    assert found["http_request_seconds_count", frozenset(of_core)] == 3
    assert found["http_request_seconds_sum", frozenset(of_core)] == pytest.approx(60.204)
    below = {
        dict(labels)["le"]: value for (name, labels), value in found.items() if name == "http_request_seconds_bucket"
    }
    assert (below["0.005"], below["0.1"], below["0.25"], below["10.0"], below["+Inf"]) == (1, 1, 2, 2, 3)


def test_figures_of_another_version_of_the_code_are_left_out(api: Api) -> None:
    tally = Tally()
    tally.set(State(name="gone", meaning=""), 1)
    tally.count(CONSUMED, "done", "by whom")
    tell(api.database, "audit", tally)
    found = {name for name, _ in scrape(api.client)}
    assert not found & {"gone", "events_consumed_total"}


def test_parked_notifications_are_counted(api: Api) -> None:
    assert values(api, "parked_notifications") == {"": 0}
    rows(api.database, "INSERT INTO events.parked (reason, body) VALUES ('odd', 'x'), ('odd', 'y')")
    assert values(api, "parked_notifications") == {"": 2}


def test_what_verifying_the_record_found_is_told_once_it_was_verified(api: Api) -> None:
    rows(api.database, "UPDATE audit.checks SET verified_at = NULL, broken = NULL")
    assert values(api, "audit_holds", "scope") == {}
    rows(api.database, "UPDATE audit.checks SET verified_at = '2026-01-02T03:04:05Z' WHERE scope = 'recent'")
    assert values(api, "audit_holds", "scope") == {"recent": 1}
    assert values(api, "audit_verified_timestamp_seconds", "scope") == {
        "recent": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    }
    rows(api.database, "UPDATE audit.checks SET broken = 'link 7 does not hold' WHERE scope = 'recent'")
    assert values(api, "audit_holds", "scope") == {"recent": 0}


COLLECTION = """
    INSERT INTO core.collections
        (trigger, delete_untagged, dry_run, parameters, actor, actor_kind, request_id, status, freed, finished_at)
    VALUES ('MANUAL', false, %s, '{}', 'admin', 'user', 'r', %s, %s, %s)
"""


def test_the_last_collection_of_garbage_is_told_and_no_dry_run(api: Api) -> None:
    names = ("gc_finished_timestamp_seconds", "gc_succeeded", "gc_freed_bytes", "gc_running")
    assert [values(api, name) for name in names] == [{}, {}, {}, {"": 0}]
    at = datetime(2026, 1, 2, tzinfo=UTC)
    rows(api.database, COLLECTION, False, "Success", 70, at)
    rows(api.database, COLLECTION, True, "Success", 99, at + timedelta(hours=1))
    assert [values(api, name) for name in names] == [{"": at.timestamp()}, {"": 1}, {"": 70}, {"": 0}]
    rows(api.database, COLLECTION, False, "Error", 0, at + timedelta(hours=2))
    rows(api.database, COLLECTION, False, "Running", 0, None)
    assert [values(api, name)[""] for name in names[1:]] == [0, 0, 1]


def test_what_is_stored_is_told_as_quotas_count_it(api: Api) -> None:
    before = {name: values(api, name)[""] for name in ("projects", "storage_used_bytes", "artifacts", "repositories")}
    project = api.project()
    rows(
        api.database,
        "UPDATE core.projects SET storage_used = 700, artifact_count = 3, repository_count = 2 WHERE name = %s",
        project,
    )
    after = {name: values(api, name)[""] for name in before}
    assert {name: after[name] - before[name] for name in before} == {
        "projects": 1, "storage_used_bytes": 700, "artifacts": 3, "repositories": 2,
    }
    assert values(api, "database_bytes")[""] > 1_000_000


def test_that_pushes_are_refused_is_told_with_its_reason(api: Api, core_database: Database) -> None:
    with short_folder() as run:
        for file in core_database.server.run.glob(".s.PGSQL*"):
            run.joinpath(file.name).symlink_to(file)
        with serving(core_database.settings("core", run=run)) as client:
            for flag, expected in (("none", set()), ("readonly", {"disk"}), ("collecting", {"disk", "collecting"})):
                run.joinpath(flag).touch()
                found = scrape(client, query="comp=storage")
                why = {dict(labels)["why"] for (name, labels), on in found.items() if name == "pushes_refused" and on}
                assert why == expected
    assert values(api, "pushes_refused", "why") == {"disk": 0, "collecting": 0}
