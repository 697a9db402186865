"""Executions of replication policies through the API: begun, shown, filtered, stopped; and their tasks and logs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString

import psycopg
import pytest

from tests.integration.core.people import ADMIN, Api, code
from tests.integration.core.rows import execution_of, line_of, policy_of, registry_of

EXECUTIONS = "/replication/executions"
NEVER = "0001-01-01T00:00:00.000Z"
COUNTERS = ("total", "in_progress", "succeed", "failed", "stopped")


@pytest.fixture(scope="module")
def registry(api: Api) -> int:
    return registry_of(api)


@pytest.fixture
def policy(api: Api, registry: int) -> int:
    return policy_of(api, registry)


@pytest.fixture
def woken(api: Api) -> Iterator[psycopg.Connection]:
    """Hears what wakes the engine."""
    with api.database.superuser() as connection:
        connection.execute("LISTEN breakwater_replication")
        yield connection


def wakes(connection: psycopg.Connection) -> int:
    return len(list(connection.notifies(timeout=0.3)))


def rows(api: Api, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query, values).fetchall()


def start(api: Api, policy: int, **more: object) -> int:
    return api.made(EXECUTIONS, {"policy_id": policy} | more)


def shown(api: Api, execution: int) -> dict[str, Any]:
    return dict(api.get(f"{EXECUTIONS}/{execution}").json)


def counters(api: Api, execution: int) -> tuple[Any, ...]:
    found = shown(api, execution)
    return tuple(found[name] for name in COUNTERS)


def states(api: Api, execution: int) -> list[str]:
    found = rows(api, "SELECT state FROM replication.tasks WHERE execution_id = %s ORDER BY id", execution)
    return [row[0] for row in found]


def test_an_execution_is_begun_shown_and_told_and_the_engine_is_woken(
    api: Api, policy: int, woken: psycopg.Connection
) -> None:
    number = start(api, policy)
    assert wakes(woken) == 1
    found = shown(api, number)
    assert {name: found[name] for name in found if name != "start_time"} == {
        "id": number, "policy_id": policy, "status": "InProgress", "status_text": "", "trigger": "manual",
        "operator": "admin", "dry_run": False, "total": 0, "in_progress": 0, "succeed": 0, "failed": 0, "stopped": 0,
        "end_time": NEVER, "blobs_total": 0, "blobs_done": 0, "bytes_total": 0, "bytes_done": 0, "bytes_sent": 0,
    }  # fmt: skip
    assert rows(api, "SELECT state, scope, worker FROM replication.executions WHERE id = %s", number) == [
        ("preparing", "everything", None)
    ]
    told = api.events("replication.started")[-1]
    assert (told["data"]["execution_id"], told["data"]["operator"], told["data"]["dry_run"]) == (number, "admin", False)


def test_a_dry_run_is_one(api: Api, policy: int) -> None:
    assert shown(api, start(api, policy, dry_run=True))["dry_run"] is True
    assert api.events("replication.started")[-1]["data"]["dry_run"] is True


def test_nothing_is_begun_of_a_policy_that_is_disabled_or_missing(api: Api, registry: int) -> None:
    disabled = policy_of(api, registry, enabled=False)
    before = rows(api, "SELECT count(*) FROM replication.executions")
    answer = api.send("POST", EXECUTIONS, ADMIN, {"policy_id": disabled})
    assert (answer.status_code, code(answer)) == (412, "PRECONDITION")
    for missing in (999999999, 0, -1):
        assert api.send("POST", EXECUTIONS, ADMIN, {"policy_id": missing}).status_code == 404
    for wrong in (2**40, "1"):
        assert api.send("POST", EXECUTIONS, ADMIN, {"policy_id": wrong}).status_code == 400
    assert rows(api, "SELECT count(*) FROM replication.executions") == before


def test_of_one_at_a_time_a_second_is_recorded_as_skipped(api: Api, registry: int) -> None:
    policy = policy_of(api, registry, single_active_replication=True)
    first, second, dry = start(api, policy), start(api, policy), start(api, policy, dry_run=True)
    found = shown(api, second)
    assert (found["status"], found["status_text"]) == (
        "Failed", "Execution skipped: active replication still in progress.",
    )  # fmt: skip
    assert found["end_time"] != NEVER
    assert api.events("replication.finished")[-1]["data"]["execution_id"] == second
    assert shown(api, dry)["status"] == "InProgress"
    api.send("PUT", f"{EXECUTIONS}/{first}")
    # a dry run is not waited for
    assert shown(api, start(api, policy))["status"] == "InProgress"


def test_of_one_at_a_time_one_begins_though_many_are_asked_for_at_once(api: Api, registry: int) -> None:
    policy = policy_of(api, registry, single_active_replication=True)
    together = threading.Barrier(6)

    def ask(_: int) -> int:
        together.wait()
        return start(api, policy)

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(ask, range(6)))
    assert sorted(shown(api, number)["status"] for number in numbers) == ["Failed"] * 5 + ["InProgress"]


def test_where_several_may_run_several_are_begun(api: Api, policy: int) -> None:
    assert [shown(api, start(api, policy))["status"] for _ in range(2)] == ["InProgress"] * 2


@pytest.mark.parametrize(
    ("state", "tasks", "status"),
    [
        ("preparing", [], "InProgress"),
        ("running", ["pending", "running", "succeeded"], "InProgress"),
        ("succeeded", ["succeeded"], "Succeed"),
        ("failed", ["succeeded", "failed"], "Failed"),
        ("stopped", ["stopped"], "Stopped"),
    ],
)
def test_states_are_told_in_harbors_words(
    api: Api, policy: int, state: str, tasks: list[str], status: str
) -> None:
    number, _ = execution_of(api, policy, state, *tasks)
    assert shown(api, number)["status"] == status
    words = {
        "pending": "Pending", "running": "InProgress", "succeeded": "Succeed", "failed": "Failed", "stopped": "Stopped",
    }  # fmt: skip
    assert [each["status"] for each in api.get(f"{EXECUTIONS}/{number}/tasks").json] == [words[each] for each in tasks]


def test_how_far_an_execution_is_is_the_sum_of_its_tasks(api: Api, policy: int) -> None:
    number, _ = execution_of(api, policy, "running", "running", "succeeded")
    other, _ = execution_of(api, policy, "preparing")
    listed = {each["id"]: each for each in api.get(f"{EXECUTIONS}?policy_id={policy}").json}
    assert listed[number] == shown(api, number)
    sums = {"blobs_total": 8, "blobs_done": 6, "bytes_total": 200, "bytes_done": 180, "bytes_sent": 160}
    assert {name: listed[number][name] for name in sums} == sums
    assert {listed[other][name] for name in sums} == {0}


def test_executions_are_listed_newest_first_with_filters(api: Api, registry: int, policy: int) -> None:
    numbers = [execution_of(api, policy, state)[0] for state in ("succeeded", "failed", "stopped", "preparing")]
    execution_of(api, policy_of(api, registry))
    mine = f"{EXECUTIONS}?policy_id={policy}"

    def listed(query: str) -> list[int]:
        return [each["id"] for each in api.get(mine + query).json]

    assert listed("") == numbers[::-1]
    assert listed("&sort=start_time") == numbers
    for status, number in zip(("Succeed", "Failed", "Stopped", "InProgress"), numbers, strict=True):
        assert listed(f"&status={status}") == [number] == listed(f"&q=status={status}")
    assert listed("&status=Unknown") == []
    assert listed("&trigger=manual") == numbers[::-1]
    assert listed("&trigger=scheduled") == []
    page = api.get(f"{mine}&page_size=2&page=2")
    assert ([each["id"] for each in page.json], page.headers["x-total-count"]) == (numbers[1::-1], "4")
    assert api.get(EXECUTIONS).json[0]["policy_id"] != policy
    assert api.get(f"{EXECUTIONS}?policy_id=x").status_code == 422


def test_tasks_are_shown_with_filters(api: Api, policy: int) -> None:
    number, (pending, failed) = execution_of(api, policy, "running", "pending", "failed")
    rows(api, "UPDATE replication.tasks SET fault = 'conflict', message = 'it has something else', kind = 'artifact'"
         " WHERE id = %s RETURNING id", failed)  # fmt: skip
    rows(api, "UPDATE replication.tasks SET tags = '{}', digest = 'sha256:def' WHERE id = %s RETURNING id", pending)
    path = f"{EXECUTIONS}/{number}/tasks"
    first, second = api.get(path).json
    assert {name: second[name] for name in second if not name.endswith("_time")} == {
        "id": failed, "execution_id": number, "status": "Failed", "status_text": "it has something else",
        "fault": "conflict", "job_id": f"replication-{failed}", "operation": "copy", "resource_type": "artifact",
        "src_resource": "library/app:[1.0,latest]", "dst_resource": "copies/app:[1.0,latest]", "digest": "sha256:abc",
        "attempts": 1, "blobs_total": 4, "blobs_done": 3, "bytes_total": 100, "bytes_done": 90, "bytes_sent": 80,
    }  # fmt: skip
    assert (first["src_resource"], first["start_time"], first["end_time"]) == ("library/app:[sha256:def]", NEVER, NEVER)
    assert [each["id"] for each in api.get(f"{path}?status=Pending").json] == [pending]
    assert [each["id"] for each in api.get(f"{path}?resource_type=artifact").json] == [failed]
    assert [each["id"] for each in api.get(f"{path}?q=fault=conflict&sort=-id").json] == [failed]
    assert [each["id"] for each in api.get(f"{path}?sort=-id").json] == [failed, pending]


def test_a_task_tells_what_it_has_written_down(api: Api, registry: int, policy: int) -> None:
    number, (task,) = execution_of(api, policy, "running", "running")
    other, (another,) = execution_of(api, policy_of(api, registry), "running", "running")
    assert api.get(f"{EXECUTIONS}/{number}/tasks/{task}/log").text == ""
    for text in ("copying library/app", "3 of 4 blobs"):
        line_of(api, task, text)
    log = api.get(f"{EXECUTIONS}/{number}/tasks/{task}/log")
    assert log.headers["content-type"].startswith("text/plain")
    assert [line.partition(" ")[2] for line in log.text.splitlines()] == ["copying library/app", "3 of 4 blobs"]
    for path in (f"{number}/tasks/{another}", f"{other}/tasks/{task}", f"999999999/tasks/{task}", f"{number}/tasks/0"):
        assert api.get(f"{EXECUTIONS}/{path}/log").status_code == 404


def test_what_waits_is_stopped_and_what_runs_is_left_to_the_engine(
    api: Api, policy: int, woken: psycopg.Connection
) -> None:
    number, _ = execution_of(api, policy, "running", "pending", "running", "succeeded", "failed", "pending")
    assert api.send("PUT", f"{EXECUTIONS}/{number}").status_code == 200
    assert states(api, number) == ["stopped", "running", "succeeded", "failed", "stopped"]
    assert counters(api, number) == (5, 1, 1, 1, 2)
    assert shown(api, number)["status"] == "InProgress"
    assert rows(api, "SELECT stopping, message FROM replication.executions WHERE id = %s", number) == [
        (True, "stopped by admin")
    ]
    assert wakes(woken) == 2
    before = shown(api, number)
    assert api.send("PUT", f"{EXECUTIONS}/{number}").status_code == 200
    assert shown(api, number) == before


@pytest.mark.parametrize(
    ("tasks", "status", "expected"),
    [
        (["pending", "pending"], "Stopped", (2, 0, 0, 0, 2)),
        (["succeeded", "pending"], "Stopped", (2, 0, 1, 0, 1)),
        (["failed", "pending"], "Failed", (2, 0, 0, 1, 1)),
    ],
)
def test_where_nothing_runs_an_execution_ends_at_once(
    api: Api, policy: int, tasks: list[str], status: str, expected: tuple[int, ...]
) -> None:
    number, _ = execution_of(api, policy, "running", *tasks)
    assert api.send("PUT", f"{EXECUTIONS}/{number}").status_code == 200
    found = shown(api, number)
    assert (found["status"], counters(api, number)) == (status, expected)
    assert found["end_time"] != NEVER
    told = api.events("replication.finished")[-1]["data"]
    assert (told["execution_id"], told["stopped"], told["message"]) == (number, expected[4], "stopped by admin")
    assert told["bytes_sent"] == 160


def test_what_is_being_listed_ends_at_once_unless_somebody_lists_it(api: Api, policy: int) -> None:
    free, held = start(api, policy), start(api, policy)
    rows(api, "UPDATE replication.executions SET worker = gen_random_uuid() WHERE id = %s RETURNING id", held)
    for number in (free, held):
        assert api.send("PUT", f"{EXECUTIONS}/{number}").status_code == 200
    assert (shown(api, free)["status"], shown(api, held)["status"]) == ("Stopped", "InProgress")
    assert rows(api, "SELECT stopping FROM replication.executions WHERE id = %s", held) == [(True,)]


@pytest.mark.parametrize("state", ["succeeded", "failed", "stopped"])
def test_what_has_ended_stays_as_it_is(api: Api, policy: int, state: str) -> None:
    number, _ = execution_of(api, policy, state, state)
    before, told = shown(api, number), len(api.events("replication.finished"))
    assert api.send("PUT", f"{EXECUTIONS}/{number}").status_code == 200
    assert (shown(api, number), len(api.events("replication.finished"))) == (before, told)


def test_a_stop_waits_for_whoever_counts(api: Api, policy: int) -> None:
    """The engine ends a task while the stop is asked for: both count, and neither is lost."""
    number, (running, _) = execution_of(api, policy, "running", "running", "pending")
    with api.database.superuser() as engine, ThreadPoolExecutor(1) as pool:
        engine.execute("BEGIN")
        engine.execute("SELECT FROM replication.executions WHERE id = %s FOR UPDATE", (number,))
        engine.execute(
            "UPDATE replication.tasks SET state = 'succeeded', worker = NULL, ended_at = now() WHERE id = %s",
            (running,),
        )
        asked = pool.submit(api.send, "PUT", f"{EXECUTIONS}/{number}")
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.5)
        engine.execute(
            "UPDATE replication.executions SET in_progress = in_progress - 1, succeeded = succeeded + 1 WHERE id = %s",
            (number,),
        )
        engine.execute("COMMIT")
        assert asked.result(timeout=10).status_code == 200
    assert counters(api, number) == (2, 0, 1, 0, 1)
    assert shown(api, number)["status"] == "Stopped"


def test_what_is_being_taken_while_a_stop_is_asked_for_is_left_to_the_engine(api: Api, policy: int) -> None:
    number, (taken, _) = execution_of(api, policy, "running", "pending", "pending")
    with api.database.superuser() as engine, ThreadPoolExecutor(1) as pool:
        engine.execute("BEGIN")
        engine.execute(
            "UPDATE replication.tasks SET state = 'running', worker = gen_random_uuid() WHERE id = %s", (taken,)
        )
        asked = pool.submit(api.send, "PUT", f"{EXECUTIONS}/{number}")
        with pytest.raises(TimeoutError):
            asked.result(timeout=0.5)
        # what runs is broken off at once, however long it takes to withdraw what waits
        assert rows(api, "SELECT stopping FROM replication.executions WHERE id = %s", number) == [(True,)]
        engine.execute("COMMIT")
        assert asked.result(timeout=10).status_code == 200
    assert states(api, number) == ["running", "stopped"]
    assert counters(api, number) == (2, 1, 0, 0, 1)
    assert shown(api, number)["status"] == "InProgress"


@pytest.mark.parametrize("number", ["x", "0", "-1", "999999999", "99999999999999999999"])
def test_a_number_that_is_none_is_refused(api: Api, number: str) -> None:
    for method, tail in (("GET", ""), ("PUT", ""), ("GET", "/tasks"), ("GET", "/tasks/1/log")):
        assert api.send(method, f"{EXECUTIONS}/{number}{tail}").status_code in {404, 422}


def test_a_robot_of_the_system_does_what_it_was_given(api: Api, policy: int) -> None:
    robot = api.robot(None, system=(("replication", "create"), ("replication", "list")))
    number = api.made(EXECUTIONS, {"policy_id": policy}, robot)
    assert shown(api, number)["operator"] == robot.name
    assert api.get(f"{EXECUTIONS}/{number}/tasks", robot).status_code == 200
    assert api.send("PUT", f"{EXECUTIONS}/{number}", robot).status_code == 200
    reader = api.robot(None, system=(("replication", "read"),))
    assert api.get(f"{EXECUTIONS}/{number}", reader).status_code == 200
    for method, path, sent in (
        ("POST", EXECUTIONS, {"policy_id": policy}), ("PUT", f"{EXECUTIONS}/{number}", None), ("GET", EXECUTIONS, None)
    ):  # fmt: skip
        assert api.send(method, path, reader, sent).status_code == 403
    assert api.get(f"{EXECUTIONS}/{number}", robot).status_code == 403
