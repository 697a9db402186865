"""Who works on which task: each is held by one, lost with its worker, and a stale word about it counts for nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from services.replication.commands import claiming
from services.replication.commands.settling import FIRST_HEAL, LOST_AGAIN, Ending
from services.replication.domain.task import MOST_ATTEMPTS, Fault, TaskState
from services.replication.queries.lag import Lag, lags_of
from tests.integration.replication.desk import NOW, SUCCESS, Desk, failure

TAGS = tuple(f"t{number}" for number in range(20))


def test_each_task_is_taken_once_however_many_workers_ask_at_the_same_time(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p", concurrency=64), *TAGS)
    desk.rows("UPDATE replication.registries SET concurrency = 64")
    workers = [desk.worker() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        claims = [claim for taken in threads.map(lambda each: desk.claim(each, free=7), workers) for claim in taken]
    assert len(claims) == len({claim.task_id for claim in claims}) == len(TAGS)
    assert desk.state(execution) == ("running", 20, 20, 0, 0, 0)


def test_a_policy_of_very_much_does_not_starve_another(desk: Desk) -> None:
    desk.execution(desk.policy("big"), *TAGS)
    small = desk.policy("small")
    desk.execution(small, "v1", "v2", source="p/other")
    taken = desk.claim(desk.worker(), free=4)
    assert sum(claim.policy.id == small for claim in taken) == 2


def test_no_more_run_with_a_registry_than_it_takes(desk: Desk) -> None:
    weak = desk.registry("weak", concurrency=3)
    desk.execution(desk.policy("one", registry_id=weak), *TAGS)
    desk.execution(desk.policy("two", registry_id=weak), *TAGS, source="p/other")
    first, second = desk.worker(), desk.worker()
    assert len(desk.claim(first)) == 3
    assert desk.claim(second) == []


def test_tasks_of_one_tag_run_one_after_the_other(desk: Desk) -> None:
    policy = desk.policy("p")
    desk.execution(policy, "v1")
    desk.execution(policy, "v1")
    worker = desk.worker()
    (first,) = desk.claim(worker)
    assert desk.claim(worker) == []
    desk.settle(worker, {first.task_id: SUCCESS})
    (second,) = desk.claim(worker)
    assert second.execution_id > first.execution_id


def test_what_a_dead_worker_held_goes_to_another_and_its_own_word_counts_no_more(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), "v1")
    dead, alive = desk.worker(), desk.worker()
    (held,) = desk.claim(dead)
    assert desk.reap() == 0
    desk.dies(dead)
    assert desk.reap() == 1
    (again,) = desk.claim(alive)
    assert (again.task_id, again.attempt) == (held.task_id, 2)
    assert desk.settle(dead, {held.task_id: failure(Fault.CONFLICT)}) == {}
    assert desk.settle(alive, {again.task_id: SUCCESS}) == {again.task_id: TaskState.SUCCEEDED}
    assert desk.state(execution) == ("succeeded", 1, 0, 1, 0, 0)


def test_a_task_that_every_worker_dies_of_is_given_up(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), "v1")
    for _ in range(MOST_ATTEMPTS + 1):
        worker = desk.worker()
        assert desk.clear_up() == 0
        assert len(desk.claim(worker)) == 1
        desk.dies(worker)
        desk.reap()
    assert desk.clear_up() == 1
    assert desk.state(execution) == ("failed", 1, 0, 0, 1, 0)
    assert desk.one("SELECT state, message FROM replication.tasks") == ("failed", LOST_AGAIN)


def test_what_may_pass_is_tried_again_later_each_time(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), "v1")
    worker, now = desk.worker(), NOW
    for attempt in range(1, MOST_ATTEMPTS):
        (claim,) = desk.claim(worker, now=now)
        assert claim.attempt == attempt
        assert desk.settle(worker, {claim.task_id: failure(Fault.SERVER_ERROR)}, now=now) == {
            claim.task_id: TaskState.PENDING
        }
        assert desk.claim(worker, now=now) == []
        now += timedelta(seconds=2 * 2 ** (attempt - 1))
    (claim,) = desk.claim(worker, now=now)
    assert desk.settle(worker, {claim.task_id: failure(Fault.SERVER_ERROR)}, now=now) == {
        claim.task_id: TaskState.FAILED
    }
    assert desk.state(execution) == ("failed", 1, 0, 0, 1, 0)
    (told,) = desk.told("replication.finished")
    assert (told["state"], told["failed"]) == ("failed", 1)


def test_what_the_target_takes_not_now_fails_at_once_and_is_compared_later(desk: Desk) -> None:
    desk.execution(desk.policy("p"), "v1")
    worker = desk.worker()
    (claim,) = desk.claim(worker)
    assert desk.settle(worker, {claim.task_id: failure(Fault.REFUSED)}) == {claim.task_id: TaskState.FAILED}
    assert desk.one("SELECT behind_since, heal_at FROM replication.policies") == (NOW, NOW + FIRST_HEAL)


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.NOT_FOUND])
def test_what_cannot_pass_fails_at_once_and_no_comparison_is_made_for_it(desk: Desk, fault: Fault) -> None:
    desk.execution(desk.policy("p"), "v1")
    worker = desk.worker()
    (claim,) = desk.claim(worker)
    assert desk.settle(worker, {claim.task_id: failure(fault)}) == {claim.task_id: TaskState.FAILED}
    assert desk.one("SELECT behind_since, heal_at FROM replication.policies") == (None, None)


def test_a_registry_that_is_away_ends_the_whole_run_and_a_comparison_is_due(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), *TAGS)
    desk.rows("UPDATE replication.tasks SET attempts = %s", MOST_ATTEMPTS - 1)
    worker = desk.worker()
    (claim,) = desk.claim(worker, free=1)
    desk.settle(worker, {claim.task_id: failure(Fault.UNREACHABLE)})
    assert desk.state(execution) == ("failed", 20, 0, 0, 20, 0)
    assert desk.one("SELECT behind_since, heal_at FROM replication.policies") == (NOW, NOW + FIRST_HEAL)


def test_a_stop_ends_what_waits_at_once_and_what_runs_when_its_worker_says_so(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), "v1", "v2", "v3")
    worker = desk.worker()
    (claim,) = desk.claim(worker, free=1)
    stopped = desk.stop(execution)
    assert (stopped.state, stopped.in_progress, stopped.stopped) == ("running", 1, 2)
    assert desk.settle(worker, {claim.task_id: Ending(state=TaskState.STOPPED)}) == {
        claim.task_id: TaskState.STOPPED
    }
    assert desk.state(execution) == ("stopped", 3, 0, 0, 0, 3)


def test_a_stop_is_not_held_up_by_a_dead_worker(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), "v1")
    worker = desk.worker()
    desk.claim(worker)
    desk.stop(execution)
    desk.dies(worker)
    desk.reap()
    assert desk.claim(desk.worker()) == []
    assert desk.clear_up() == 1
    assert desk.state(execution) == ("stopped", 1, 0, 0, 0, 1)


def test_an_attempt_that_fails_while_its_run_is_stopped_is_not_repeated(desk: Desk) -> None:
    execution = desk.execution(desk.policy("p"), "v1")
    worker = desk.worker()
    (claim,) = desk.claim(worker)
    desk.stop(execution)
    assert desk.settle(worker, {claim.task_id: failure(Fault.SERVER_ERROR)}) == {claim.task_id: TaskState.FAILED}
    assert desk.state(execution)[0] == "failed"


def test_several_endings_are_written_down_at_once(desk: Desk) -> None:
    policy = desk.policy("p")
    one, two = desk.execution(policy, "a", "b"), desk.execution(policy, "c", source="p/other")
    worker = desk.worker()
    claims = desk.claim(worker)
    copied = {
        claim.task_id: Ending(
            state=TaskState.SUCCEEDED, source=claim.source, target=claim.target,
            copied={claim.references[0]: "sha256:" + "a" * 64},
        )
        for claim in claims
    }  # fmt: skip
    assert set(desk.settle(worker, copied).values()) == {TaskState.SUCCEEDED}
    assert (desk.state(one)[0], desk.state(two)[0]) == ("succeeded", "succeeded")
    assert desk.one("SELECT count(*) FROM replication.copies") == (3,)
    assert len(desk.told("replication.finished")) == 2


def test_a_policy_says_what_waits_and_since_when(desk: Desk) -> None:
    policy, other = desk.policy("p"), desk.policy("other")
    desk.execution(policy, "v1", "v2")
    worker = desk.worker()
    (claim,) = desk.claim(worker, free=1)
    with desk.sessions() as session:
        assert lags_of(session, [policy, other]) == {
            policy: Lag(waiting=2, since=NOW, newest_at=NOW, tasks=2, running=1), other: Lag(),
        }  # fmt: skip
    desk.settle(worker, {claim.task_id: SUCCESS})
    (last,) = desk.claim(worker, free=1)
    desk.settle(worker, {last.task_id: failure(Fault.CONFLICT)})
    with desk.sessions() as session:
        assert lags_of(session, [policy]) == {policy: Lag()}


def test_what_a_dry_run_has_still_to_look_at_does_not_wait_to_be_copied(desk: Desk) -> None:
    policy = desk.policy("p")
    dry = desk.execution(policy, "v1", "v2")
    desk.rows("UPDATE replication.executions SET dry_run = true WHERE id = %s", dry)
    desk.claim(desk.worker(), free=1)
    with desk.sessions() as session:
        assert lags_of(session, [policy]) == {policy: Lag()}
    desk.execution(policy, "v3")
    with desk.sessions() as session:
        assert lags_of(session, [policy]) == {policy: Lag(waiting=1, since=NOW, newest_at=NOW, tasks=1)}


def test_a_task_comes_with_what_the_catalogue_has_under_its_tags(desk: Desk) -> None:
    digest = "sha256:" + "a" * 64
    desk.rows(
        """
        WITH p AS (INSERT INTO core.projects (name, owner_id) SELECT 'p', min(id) FROM core.users RETURNING id),
             r AS (INSERT INTO core.repositories (project_id, name) SELECT id, 'p/app' FROM p RETURNING id, project_id),
             a AS (INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type,
                                               manifest_media_type, size, pushed_at)
                   SELECT project_id, id, %s, 'IMAGE', '', '', 1, now() FROM r RETURNING id, repository_id)
        INSERT INTO core.tags (repository_id, artifact_id, name, pushed_at)
        SELECT repository_id, id, 'v1', now() FROM a
        """,
        digest,
    )
    desk.execution(desk.policy("p"), "v1", "v2")
    desk.execution(desk.policy("q"), "v1", source="p/other")
    claims = desk.claim(desk.worker())
    assert [(claim.source, {tag: each.text for tag, each in claim.catalogued.items()}) for claim in claims] == [
        ("p/app", {"v1": digest}), ("p/app", {}), ("p/other", {}),
    ]  # fmt: skip
    desk.rows("UPDATE replication.tasks SET state = 'pending', worker = NULL")
    desk.rows("UPDATE replication.executions SET scope = 'changes'")
    assert [claim.catalogued for claim in desk.claim(desk.worker())] == [{}, {}, {}]


def test_workers_share_a_policy_by_what_each_has_in_hand(desk: Desk) -> None:
    policy, other = desk.policy("p"), desk.policy("q")
    desk.execution(policy, "v1", "v2", "v3", "v4")
    first, second = desk.worker(), desk.worker()
    assert (len(desk.claim(first, free=3)), len(desk.claim(second, free=3))) == (3, 1)
    with desk.sessions() as session:
        assert claiming.shares(session, first, {policy, other}) == {policy: 0.75}
        assert claiming.shares(session, second, {policy}) == {policy: 0.25}
        assert claiming.shares(session, second, {other}) == {}
