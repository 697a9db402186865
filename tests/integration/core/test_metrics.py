"""What Prometheus is told of replication: each number by the state that it stands for, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from falcon.testing import Result
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from services.replication.commands import history
from services.replication.commands.settling import Ending
from services.replication.domain.task import MOST_ATTEMPTS, Fault, Progress, TaskState
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller
from tests.integration.core.rows import execution_of, policy_of, registry_of
from tests.integration.core.test_statements import statements
from tests.integration.replication.desk import Desk, desk_of, failure

PERMISSIONS = (("replication-policy", "list"), ("replication", "list"), ("registry", "list"))
_numbers = count(1)


@pytest.fixture(scope="module")
def desk(core_database: Database) -> Iterator[Desk]:
    with desk_of(core_database) as desk:
        yield desk


@pytest.fixture
def policy(desk: Desk) -> int:
    return desk.policy(f"metered{next(_numbers)}")


def ask(api: Api, caller: Caller = ADMIN, query: str = "comp=replication", accept: str = "") -> Result:
    headers = caller.headers | ({"Accept": accept} if accept else {})
    return api.client.simulate_get("/metrics", query_string=query, headers=headers)


def samples(api: Api) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = ask(api)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name.removeprefix("breakwater_replication_"), frozenset(sample.labels.items())): sample.value
        for family in read_text(answer.text)
        for sample in family.samples
        if sample.name.startswith("breakwater_replication_")
    }


def value(api: Api, name: str, policy: int, **labels: str) -> float:
    """What is told of a policy."""
    (found,) = {
        value
        for (each, told), value in samples(api).items()
        if each == name and {("policy_id", str(policy)), *labels.items()} <= told
    }
    return found


def told(api: Api, name: str, policy: int, label: str) -> dict[str, float]:
    """What is told of a policy by a label, without the zeros."""
    return {
        dict(labels)[label]: value
        for (each, labels), value in samples(api).items()
        if each == name and ("policy_id", str(policy)) in labels and value
    }


def sent(number: int) -> Progress:
    return Progress(bytes_sent=number)


def copied(number: int = 0) -> Ending:
    return Ending(
        state=TaskState.SUCCEEDED, copied={"v1": "sha256:abc"}, source="p/app", target="p/app", progress=sent(number)
    )


def work(desk: Desk, execution: int, ending: Ending) -> None:
    """Let a worker end all tasks of an execution in one way."""
    worker = desk.worker()
    claims = [each for each in desk.claim(worker) if each.execution_id == execution]
    desk.settle(worker, {each.task_id: ending for each in claims})


def test_what_waits_is_told_with_its_age_and_nothing_is_where_all_is_in_step(
    api: Api, desk: Desk, policy: int
) -> None:
    assert [
        value(api, name, policy) for name in ("artifacts_waiting", "lag_seconds", "oldest_unsynced_seconds")
    ] == [0, 0, 0]
    desk.execution(policy, "v1", "v2")
    desk.rows(
        "UPDATE replication.tasks SET created_at = now() - interval '1 hour' WHERE policy_id = %s AND tags = '{v1}'",
        policy,
    )
    desk.rows(
        "UPDATE replication.tasks SET created_at = now() - interval '5 min' WHERE policy_id = %s AND tags = '{v2}'",
        policy,
    )
    assert value(api, "artifacts_waiting", policy) == 2
    assert value(api, "lag_seconds", policy) == pytest.approx(300, abs=30)
    assert value(api, "oldest_unsynced_seconds", policy) == pytest.approx(3600, abs=30)
    desk.rows(
        "INSERT INTO replication.changes VALUES (%s, 'p/app', 'v3', now() - interval '2 hours')", policy
    )
    assert value(api, "artifacts_waiting", policy) == 3
    assert value(api, "lag_seconds", policy) == pytest.approx(300, abs=30)
    assert value(api, "oldest_unsynced_seconds", policy) == pytest.approx(7200, abs=30)


def test_what_failed_and_is_missing_is_a_lag_though_nothing_waits(api: Api, desk: Desk, policy: int) -> None:
    desk.rows(
        "UPDATE replication.policies SET behind_since = now() - interval '10 min' WHERE id = %s", policy
    )
    assert value(api, "artifacts_waiting", policy) == 0
    assert value(api, "lag_seconds", policy) == pytest.approx(600, abs=30)
    assert value(api, "oldest_unsynced_seconds", policy) == pytest.approx(600, abs=30)


def test_tasks_are_told_by_whether_a_worker_has_them(api: Api, policy: int) -> None:
    execution_of(api, policy, "running", "pending", "pending", "running", "succeeded", "failed")
    assert told(api, "tasks", policy, "state") == {"pending": 2, "running": 1}


def test_executions_are_told_by_their_state(api: Api, policy: int) -> None:
    for state in ("preparing", "running", "failed", "failed"):
        execution_of(api, policy, state)
    assert told(api, "executions", policy, "state") == {"preparing": 1, "running": 1, "failed": 2}


def test_a_success_counts_its_artifact_and_its_bytes(api: Api, desk: Desk, policy: int) -> None:
    work(desk, desk.execution(policy, "v1"), copied(70))
    work(desk, desk.execution(policy, "v1"), copied(30))
    assert value(api, "sent_bytes_total", policy) == 100
    assert value(api, "artifacts_copied_total", policy) == 2
    assert told(api, "ended_tasks_total", policy, "outcome") == {"succeeded": 2}
    assert told(api, "failures_total", policy, "reason") == {}


def test_what_was_as_it_should_be_is_no_copy(api: Api, desk: Desk, policy: int) -> None:
    work(desk, desk.execution(policy, "v1"), Ending(state=TaskState.SUCCEEDED))
    assert value(api, "artifacts_copied_total", policy) == 0
    assert told(api, "ended_tasks_total", policy, "outcome") == {"succeeded": 1}


def test_every_failed_attempt_counts_by_its_reason_and_its_task_once(api: Api, desk: Desk, policy: int) -> None:
    desk.execution(policy, "v1")
    for _ in range(MOST_ATTEMPTS):
        desk.rows("UPDATE replication.tasks SET due_at = '2026-01-01' WHERE policy_id = %s", policy)
        worker = desk.worker()
        (claim,) = desk.claim(worker)
        desk.settle(worker, {
            claim.task_id: Ending(state=TaskState.FAILED, fault=Fault.OVERLOADED, progress=sent(10)),
        })  # fmt: skip
    work(desk, desk.execution(policy, "v2"), failure(Fault.CONFLICT))
    assert told(api, "failures_total", policy, "reason") == {"overloaded": MOST_ATTEMPTS, "conflict": 1}
    assert told(api, "ended_tasks_total", policy, "outcome") == {"failed": 2}
    assert value(api, "sent_bytes_total", policy) == 10 * MOST_ATTEMPTS
    assert value(api, "artifacts_copied_total", policy) == 0


def test_a_task_given_up_because_the_registry_is_away_counts_too(api: Api, desk: Desk, policy: int) -> None:
    desk.execution(policy, "v1", "v2", "v3")
    worker = desk.worker()
    (claim,) = desk.claim(worker, free=1)
    desk.rows("UPDATE replication.tasks SET attempts = %s WHERE id = %s", MOST_ATTEMPTS, claim.task_id)
    desk.settle(worker, {claim.task_id: failure(Fault.UNREACHABLE)})
    assert told(api, "ended_tasks_total", policy, "outcome") == {"failed": 3}
    assert told(api, "failures_total", policy, "reason") == {"unreachable": 3}


def test_a_task_that_every_worker_died_of_counts_as_our_own_fault(api: Api, desk: Desk, policy: int) -> None:
    desk.execution(policy, "v1")
    desk.rows("UPDATE replication.tasks SET attempts = %s WHERE policy_id = %s", MOST_ATTEMPTS + 1, policy)
    assert desk.clear_up() == 1
    assert told(api, "ended_tasks_total", policy, "outcome") == {"failed": 1}
    assert told(api, "failures_total", policy, "reason") == {"internal": 1}


def test_stopped_tasks_count_whoever_had_them(api: Api, desk: Desk, policy: int) -> None:
    execution = desk.execution(policy, "v1", "v2")
    worker = desk.worker()
    (claim,) = desk.claim(worker, free=1)
    assert api.send("PUT", f"/replication/executions/{execution}").status_code == 200
    assert told(api, "ended_tasks_total", policy, "outcome") == {"stopped": 1}
    desk.settle(worker, {claim.task_id: Ending(state=TaskState.STOPPED, progress=sent(5))})
    assert told(api, "ended_tasks_total", policy, "outcome") == {"stopped": 2}
    assert value(api, "sent_bytes_total", policy) == 5


def test_a_dry_run_counts_for_nothing(desk: Desk, policy: int) -> None:
    execution = desk.execution(policy, "v1")
    desk.rows("UPDATE replication.executions SET dry_run = true WHERE id = %s", execution)
    work(desk, execution, copied(10))
    stopped = desk.execution(policy, "v1")
    desk.rows("UPDATE replication.executions SET dry_run = true WHERE id = %s", stopped)
    desk.stop(stopped)
    assert desk.rows("SELECT * FROM replication.tallies WHERE policy_id = %s", policy) == []


def test_a_stale_word_counts_for_nothing(api: Api, desk: Desk, policy: int) -> None:
    desk.execution(policy, "v1")
    dead = desk.worker()
    (claim,) = desk.claim(dead)
    desk.dies(dead)
    desk.reap()
    desk.settle(dead, {claim.task_id: copied(10)})
    assert value(api, "sent_bytes_total", policy) == 0


def test_counters_stay_when_history_is_pruned_and_go_with_their_policy(api: Api, desk: Desk, policy: int) -> None:
    work(desk, desk.execution(policy, "v1"), copied(10))
    work(desk, desk.execution(policy, "v2"), failure(Fault.REFUSED))
    assert api.send("PUT", "/configurations", ADMIN, {"replication_history": 1}).status_code == 200
    with desk.sessions.begin() as session:
        assert history.prune(session) >= 1
    assert told(api, "executions", policy, "state") == {"failed": 1}
    assert value(api, "sent_bytes_total", policy) == 10
    assert told(api, "ended_tasks_total", policy, "outcome") == {"succeeded": 1, "failed": 1}
    assert told(api, "failures_total", policy, "reason") == {"refused": 1}
    assert api.send("DELETE", f"/replication/policies/{policy}").status_code == 200
    assert ("policy_id", str(policy)) not in {label for _, labels in samples(api) for label in labels}
    assert desk.rows("SELECT * FROM replication.tallies WHERE policy_id = %s", policy) == []
    assert api.send("PUT", "/configurations", ADMIN, {"replication_history": 50}).status_code == 200


def test_a_counter_is_there_before_anything_is_counted(api: Api, policy: int) -> None:
    of_policy = [
        dict(labels)
        for name, labels in samples(api)
        if name == "failures_total" and ("policy_id", str(policy)) in labels
    ]
    assert {labels["reason"] for labels in of_policy} == {fault.value for fault in Fault}


def test_the_health_of_registries_is_told_once_it_is_known(api: Api, desk: Desk) -> None:
    numbers = {status: registry_of(api) for status in ("healthy", "unhealthy", "unknown")}
    for status, number in numbers.items():
        desk.rows("UPDATE replication.registries SET status = %s WHERE id = %s", status, number)
    found = {
        dict(labels)["registry_id"]: value
        for (name, labels), value in samples(api).items()
        if name == "registry_healthy"
    }
    assert found[str(numbers["healthy"])] == 1
    assert found[str(numbers["unhealthy"])] == 0
    assert str(numbers["unknown"]) not in found


def test_only_workers_that_beat_are_counted(api: Api, desk: Desk) -> None:
    desk.rows("DELETE FROM replication.pools")
    assert samples(api)["workers", frozenset()] == 0
    desk.worker()
    silent = desk.worker()
    desk.rows("UPDATE replication.pools SET heartbeat_at = now() - interval '2 min' WHERE id = %s", silent)
    assert samples(api)["workers", frozenset()] == 1


@pytest.mark.usefixtures("policy")
def test_both_forms_of_the_exposition_can_be_read(api: Api) -> None:
    plain = ask(api)
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    newer = ask(api, accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in read_openmetrics(newer.text)}
    assert len(names) == 12
    assert {family.name.removesuffix("_total") for family in read_text(plain.text)} == names


def test_a_name_with_quotes_and_lines_is_told_as_it_is(api: Api, desk: Desk) -> None:
    name = 'odd "name" \\ with\na line'
    number = desk.policy(name)
    labels = frozenset({("policy_id", str(number)), ("policy", name)})
    assert samples(api)["artifacts_waiting", labels] == 0


def test_metrics_are_for_administrators_and_robots_that_may_list_the_same(api: Api) -> None:
    administrator = api.user(admin=True)
    reader = api.robot(None, system=PERMISSIONS)
    assert [ask(api, caller).status_code for caller in (administrator, reader)] == [200, 200]
    lesser = [
        api.robot(None, system=tuple(each for each in PERMISSIONS if each != missing)) for missing in PERMISSIONS
    ]
    project = api.project()
    others = [api.user(), api.member(project, "projectAdmin"), api.robot(project, ("repository", "pull")), *lesser]
    for query in ("", "comp=replication"):
        assert {ask(api, caller, query).status_code for caller in others} == {403}
    assert ask(api, reader, "comp=parts").status_code == 403
    assert "breakwater_up" not in ask(api, reader, "").text
    for stranger in (NOBODY, Caller(name="admin", password="Wrong1password")):
        for query in ("", "comp=replication", "comp=nothing"):
            answer = ask(api, stranger, query)
            assert answer.status_code == 401
            assert "breakwater_" not in answer.text


def test_metrics_cost_the_same_for_one_policy_and_for_many(api: Api) -> None:
    ask(api)
    with statements() as few:
        ask(api)
    for _ in range(20):
        number = policy_of(api, registry_of(api))
        execution_of(api, number, "running", "pending", "running")
    with statements() as many:
        ask(api)
    assert len(many) == len(few) <= 8, "\n".join(many)
