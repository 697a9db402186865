"""The jobs of all parts as one job service, for reading: who works, at what, what waits, and what a job has done."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from tests.integration.core.described import OwnDescription
from tests.integration.core.people import Api, sentence
from tests.integration.core.rows import delivery_of, line_of, retention_of
from tests.integration.core.test_statements import statements

SCHEMAS = ("webhook", "core", "audit", "replication")
EMPTY = dict.fromkeys(["WEBHOOK", "SLACK", "RETENTION", "PURGE_AUDIT_LOG", "GARBAGE_COLLECTION", "REPLICATION"], (0, 0))


@pytest.fixture(autouse=True)
def _nothing_left(api: Api) -> Iterator[None]:
    yield
    with api.database.superuser() as connection:
        connection.execute(
            "TRUNCATE webhook.pools, core.pools, audit.pools, replication.pools, core.audit_purges, core.collections, "
            "webhook.policies, core.retention_executions, replication.registries CASCADE"
        )


def pool_of(api: Api, schema: str, *, silent: int = 0) -> UUID:
    """A process that last beat so many seconds ago."""
    number = uuid4()
    with api.database.superuser() as connection:
        connection.execute(
            f"""
            INSERT INTO {schema}.pools (id, host, pid, concurrency, started_at, heartbeat_at)
            VALUES (%s, 'host', 7, 8, '2026-01-01', now() - make_interval(secs => %s))
            """.encode(),  # noqa: S608 - a name of this module
            (number, silent),
        )
    return number


def policy_of(api: Api, kind: str = "http") -> int:
    target = {"type": kind, "address": "https://hooks.example.test/"}
    body = {"name": "hook", "event_types": ["PUSH_ARTIFACT"], "targets": [target]}
    return api.made(f"/projects/{api.project()}/webhook/policies", body)


def sent_by(api: Api, pool: UUID, delivery: int, *, lease: int = 60) -> None:
    with api.database.superuser() as connection:
        connection.execute(
            """
            UPDATE webhook.targets t SET lease = gen_random_uuid(), pool_id = %(pool)s, delivery_id = d.id,
                served_at = now(), leased_until = now() + make_interval(secs => %(lease)s)
            FROM webhook.deliveries d WHERE d.id = %(delivery)s AND t.id = d.target_id
            """,
            {"pool": pool, "delivery": delivery, "lease": lease},
        )


def task_of(
    api: Api, holder: UUID | None = None, *, age: int = 0, lease: int = 60, status: str = "Running",
    verdicts: tuple[str, ...] = (),
) -> int:  # fmt: skip
    """A retention task of an execution of its own; returns its number."""
    policy = retention_of(api, api.project())
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            WITH execution AS (
                INSERT INTO core.retention_executions (policy_id, trigger, dry_run, rules, actor, actor_kind,
                                                       request_id)
                VALUES (%(policy)s, 'MANUAL', true, '[]', 'admin', 'user', '') RETURNING id
            )
            INSERT INTO core.retention_tasks (execution_id, repository, status, holder, lease_until, created_at,
                                              started_at, finished_at)
            SELECT id, 'library/app', %(status)s, %(holder)s, now() + make_interval(secs => %(lease)s),
                   now() - make_interval(secs => %(age)s), now(), CASE WHEN %(status)s = 'Success' THEN now() END
            FROM execution RETURNING id
            """,
            {"policy": policy, "status": status, "holder": holder, "lease": lease, "age": age},
        ).fetchone()
        assert row
        connection.execute(
            """
            INSERT INTO core.retention_verdicts (task_id, position, digest, tags, type, pushed_at, mark, settled)
            SELECT %s, n, 'sha256:' || n, ARRAY[tag], 'IMAGE', now(), 'DEL', true
            FROM unnest(%s::text[]) WITH ORDINALITY AS verdict (tag, n)
            """,
            (row[0], list(verdicts)),
        )
    return int(row[0])


def purge_of(api: Api, status: str, pool: UUID | None = None, *, age: int = 0, log: str = "") -> int:
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            INSERT INTO core.audit_purges (trigger, hours, kinds, dry_run, parameters, actor, actor_kind, request_id,
                                           status, log, pool_id, created_at, finished_at)
            VALUES ('MANUAL', 24, '{}', false, '{}', 'admin', 'user', '', %(status)s, %(log)s, %(pool)s,
                    now() - make_interval(secs => %(age)s), CASE WHEN %(status)s = 'Success' THEN now() END)
            RETURNING id
            """,
            {"status": status, "log": log, "pool": pool, "age": age},
        ).fetchone()
    assert row
    return int(row[0])


def collection_of(api: Api, status: str, pool: UUID | None = None, *, age: int = 0, log: str = "") -> int:
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            INSERT INTO core.collections (trigger, delete_untagged, dry_run, parameters, actor, actor_kind, request_id,
                                          status, log, pool_id, progress, created_at, finished_at)
            VALUES ('MANUAL', false, false, '{}', 'admin', 'user', '', %(status)s, %(log)s, %(pool)s, '3 of 7 blobs',
                    now() - make_interval(secs => %(age)s), CASE WHEN %(status)s = 'Success' THEN now() END)
            RETURNING id
            """,
            {"status": status, "log": log, "pool": pool, "age": age},
        ).fetchone()
    assert row
    return int(row[0])


def copied_by(api: Api, pool: UUID | None) -> int:
    """A task of a replication that a process has in hand, or that waits."""
    name = f"r{uuid4().hex[:8]}"
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            WITH registry AS (
                INSERT INTO replication.registries (name, kind, url) VALUES (%(name)s, 'harbor', 'https://there.example')
                RETURNING id
            ), policy AS (
                INSERT INTO replication.policies (name, target_id, trigger) SELECT %(name)s, id, 'manual' FROM registry
                RETURNING id, target_id
            ), execution AS (
                INSERT INTO replication.executions (policy_id, trigger, scope, state, total, in_progress)
                SELECT id, 'manual', 'everything', 'running', 1, 1 FROM policy RETURNING id, policy_id
            )
            INSERT INTO replication.tasks (execution_id, policy_id, registry_id, operation, kind, source, target, tags,
                state, worker, due_at, created_at)
            SELECT e.id, e.policy_id, p.target_id, 'copy', 'image', 'library/app', 'library/app', '{v1}',
                   CASE WHEN %(pool)s::uuid IS NULL THEN 'pending' ELSE 'running' END, %(pool)s, now(), now()
            FROM execution e JOIN policy p ON p.id = e.policy_id RETURNING id
            """,
            {"name": name, "pool": pool},
        ).fetchone()
    assert row
    return int(row[0])


def workers(api: Api, pool: object = "all") -> dict[str, str]:
    """The jobs in hand, and the pool that has each."""
    answer = api.get(f"/jobservice/pools/{pool}/workers")
    assert answer.status_code == 200, answer.text
    return {worker["job_id"]: worker["pool_id"] for worker in answer.json}


def waiting(api: Api) -> dict[str, tuple[int, int]]:
    """Of each type of job: how many wait, and for how long, in tens of seconds."""
    answer = api.get("/jobservice/queues").json
    assert not any(queue["paused"] for queue in answer)
    return {queue["job_type"]: (queue["count"], queue["latency"] // 10) for queue in answer}


def test_the_processes_of_all_parts_are_listed_while_they_beat(api: Api) -> None:
    assert api.get("/jobservice/pools").json == []
    living = [pool_of(api, schema, silent=50) for schema in SCHEMAS]
    silent = [pool_of(api, schema, silent=61) for schema in SCHEMAS]
    listed = api.get("/jobservice/pools").json
    assert {each["worker_pool_id"] for each in listed} == {str(number) for number in living}
    assert {(each["host"], each["pid"], each["concurrency"]) for each in listed} == {("host", 7, 8)}
    assert {each["start_at"] for each in listed} == {"2026-01-01T00:00:00.000Z"}
    for number in silent:
        assert api.get(f"/jobservice/pools/{number}/workers").status_code == 404


def test_what_a_pool_has_in_hand_is_listed_and_all_stands_for_all_pools(api: Api) -> None:
    sender, keeper, recorder, copier, idle = (pool_of(api, schema) for schema in (*SCHEMAS, "webhook"))
    delivery, _ = delivery_of(api, policy_of(api), "pending")
    slack, _ = delivery_of(api, policy_of(api, "slack"), "pending")
    for each in (delivery, slack):
        sent_by(api, sender, each)
    task, purge = task_of(api, keeper), purge_of(api, "Running", recorder)
    in_hand = {
        f"webhook-{delivery}": sender, f"slack-{slack}": sender, f"retention-{task}": keeper,
        f"purge_audit_log-{purge}": recorder, f"replication-{copied_by(api, copier)}": copier,
    }  # fmt: skip
    assert workers(api) == {job: str(pool) for job, pool in in_hand.items()}
    for pool in (sender, keeper, recorder, copier, idle):
        assert workers(api, pool) == {job: str(pool) for job, other in in_hand.items() if other == pool}
    for path in ("/jobservice/pools", "/jobservice/pools/{pool_id}/workers", "/jobservice/queues"):
        OwnDescription(api.get("/openapi.json").json).check("GET", path, api.get(path.format(pool_id="all")))
    shown = {worker["job_name"]: worker for worker in api.get("/jobservice/pools/all/workers").json}
    assert shown["WEBHOOK"]["check_in"] == "attempt 1"
    assert shown["RETENTION"]["check_in"] == "library/app"
    assert shown["RETENTION"]["start_at"] == shown["RETENTION"]["checkin_at"]
    assert "checkin_at" not in shown["PURGE_AUDIT_LOG"]


def test_what_nobody_has_in_hand_any_more_is_not_listed(api: Api) -> None:
    pool, gone = pool_of(api, "webhook"), pool_of(api, "webhook", silent=61)
    policies = [policy_of(api) for _ in range(3)]
    late, orphaned, _free = (delivery_of(api, policy, "pending")[0] for policy in policies)
    sent_by(api, pool, late, lease=-1)
    sent_by(api, gone, orphaned)
    task_of(api, pool, lease=-1)
    task_of(api, pool, status="Success")
    task_of(api, None)
    purge_of(api, "Success", pool)
    assert workers(api) == {}


def test_every_type_of_job_has_a_queue_of_what_waits(api: Api) -> None:
    assert waiting(api) == EMPTY
    pool = pool_of(api, "webhook")
    policies = [policy_of(api), policy_of(api, "slack")]
    for policy in policies:
        delivery_of(api, policy, "success")
        delivery_of(api, policy, "error")
    assert waiting(api) == EMPTY
    first, *rest = (delivery_of(api, policies[0], "pending")[0] for _ in range(4))
    with api.database.superuser() as connection:
        moved = "UPDATE webhook.deliveries SET due_at = now() + make_interval(secs => %s) WHERE id = ANY (%s)"
        connection.execute(moved, (-95, [first, rest[0]]))
        connection.execute(moved, (60, [rest[1]]))
    delivery_of(api, policies[1], "pending")
    task_of(api, None, age=35)
    task_of(api, pool, age=500)
    task_of(api, pool, age=15, lease=-1)
    purge_of(api, "Pending", age=75)
    purge_of(api, "Running", pool, age=500)
    purge_of(api, "Success", age=500)
    collection_of(api, "Pending", age=25)
    collection_of(api, "Success", age=500)
    copied_by(api, None)
    assert waiting(api) == {
        "WEBHOOK": (3, 9), "SLACK": (1, 0), "RETENTION": (2, 3), "PURGE_AUDIT_LOG": (1, 7),
        "GARBAGE_COLLECTION": (1, 2), "REPLICATION": (1, 0),
    }  # fmt: skip
    sent_by(api, pool, first)
    assert waiting(api)["WEBHOOK"] == (2, 9), "what is being sent does not wait"


def test_the_log_of_a_job_is_that_of_the_operation_about_the_same_thing(api: Api) -> None:
    policy = policy_of(api)
    delivery, attempt = delivery_of(api, policy)
    task = task_of(api, verdicts=("v1", "v2"))
    purge = purge_of(api, "Success", log="Purged 3 rows of audit logs\n")
    collection = collection_of(api, "Success", log="3 blobs went\n")
    with api.database.superuser() as connection:
        row = connection.execute(
            """
            SELECT p.name, e.policy_id, e.id FROM webhook.policies w JOIN core.projects p ON p.id = w.project_id,
                core.retention_executions e JOIN core.retention_tasks t ON t.execution_id = e.id
            WHERE w.id = %s AND t.id = %s
            """,
            (policy, task),
        ).fetchone()
    assert row
    project, retention, execution = row
    tasks = f"/retentions/{retention}/executions/{execution}/tasks"
    same = {
        f"webhook-{delivery}":
            f"/projects/{project}/webhook/policies/{policy}/executions/{delivery}/tasks/{attempt}/log",
        f"purge_audit_log-{purge}": f"/system/purgeaudit/{purge}/log",
        f"garbage_collection-{collection}": f"/system/gc/{collection}/log",
        f"retention-{task}": f"{tasks}/{task}",
    }  # fmt: skip
    for job, elsewhere in same.items():
        answer = api.get(f"/jobservice/jobs/{job}/log")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert answer.text == api.get(elsewhere).text != ""
    assert [each["job_id"] for each in api.get(tasks).json] == [f"retention-{task}"]


def test_the_log_of_a_delivery_tells_of_its_last_attempts_in_their_order(api: Api) -> None:
    waiting, _ = delivery_of(api, policy_of(api), "pending", request="POST 1")
    with api.database.superuser() as connection:
        connection.execute(
            """
            INSERT INTO webhook.attempts (delivery_id, number, started_at, finished_at, succeeded, message, request,
                                          response)
            SELECT %s, n, now(), now(), false, 'told', 'POST ' || n, '500' FROM generate_series(2, 53) n
            """,
            (waiting,),
        )
    lines = api.get(f"/jobservice/jobs/webhook-{waiting}/log").text.splitlines()
    assert [line for line in lines if line.startswith("POST")] == [f"POST {number}" for number in range(4, 54)]


def test_the_log_of_a_copy_is_what_its_task_wrote_down(api: Api) -> None:
    task = copied_by(api, None)
    assert api.get(f"/jobservice/jobs/replication-{task}/log").text == ""
    line_of(api, task, "library/app:v1 is there already")
    assert "library/app:v1 is there already" in api.get(f"/jobservice/jobs/replication-{task}/log").text
    assert api.get(f"/jobservice/jobs/replication-{task + 1}/log").status_code == 404


def test_a_job_that_has_not_begun_has_an_empty_log(api: Api) -> None:
    answer = api.get(f"/jobservice/jobs/purge_audit_log-{purge_of(api, 'Pending')}/log")
    assert (answer.status_code, answer.text) == (200, "")


@pytest.mark.parametrize(
    ("job", "status"),
    [
        ("retention-2147483648", 404), ("retention-99999999999999999999", 404), ("webhook-2147483648", 404),
        ("webhook-999999", 404), ("slack-999999", 404), ("retention-999999", 404), ("purge_audit_log-999999", 404),
        ("garbage_collection-999999", 404),
        ("replication-1", 404), ("webhook-0", 404), ("webhook-99999999999999999999999", 404),
        ("webhook", 422), ("webhook-", 422), ("webhook--1", 422), ("webhook-x", 422), ("WEBHOOK-1", 422), ("1", 422),
        ("webhook-1'--", 422), ("webhook-%D9%A1", 422),
        ("8e9b6f1c-6a53-4f4e-8f5e-0d2ab5c5a001", 422),
    ],
)  # fmt: skip
def test_what_is_no_job_has_no_log(api: Api, job: str, status: int) -> None:
    answer = api.get(f"/jobservice/jobs/{job}/log")
    assert answer.status_code == status
    assert sentence(answer)


def test_a_delivery_is_no_job_of_another_type(api: Api) -> None:
    delivery, _ = delivery_of(api, policy_of(api, "slack"))
    assert api.get(f"/jobservice/jobs/webhook-{delivery}/log").status_code == 404
    assert api.get(f"/jobservice/jobs/slack-{delivery}/log").status_code == 200


@pytest.mark.parametrize("pool", ["00000000-0000-4000-8000-000000000000", "none", "ALL", "1'--"])
def test_a_pool_that_is_not_there_is_not_found(api: Api, pool: str) -> None:
    pool_of(api, "core")
    assert api.get(f"/jobservice/pools/{pool}/workers").status_code == 404


def test_a_robot_sees_what_it_was_given_to_see_and_administrators_of_projects_see_nothing(api: Api) -> None:
    monitor = api.robot(None, system=(("jobservice-monitor", "list"),))
    stopper = api.robot(None, system=(("jobservice-monitor", "stop"), ("purge-audit", "read")))
    project_admin = api.member(api.project(), "projectAdmin")
    purge = purge_of(api, "Success", log="Purged\n")
    for path in ("/pools", "/pools/all/workers", "/queues", f"/jobs/purge_audit_log-{purge}/log", "/jobs/x/log"):
        assert api.get(f"/jobservice{path}", monitor).status_code == (422 if path == "/jobs/x/log" else 200)
        for other in (stopper, project_admin):
            assert api.get(f"/jobservice{path}", other).status_code == 403


def test_the_number_of_statements_does_not_grow_with_pools_and_jobs(api: Api) -> None:
    counts = []
    for _ in range(2):
        pools = [pool_of(api, schema) for schema in SCHEMAS]
        for pool in pools:
            task_of(api, pool)
            purge_of(api, "Running", pool)
        with statements() as seen:
            api.get("/jobservice/pools/all/workers")
            api.get("/jobservice/queues")
        counts.append(len(seen))
    assert counts[0] == counts[1]
