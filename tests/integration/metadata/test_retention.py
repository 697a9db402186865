"""Carrying out retention against a real registry: what goes, what stays, and who goes on after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands import retaining
from services.api.commands.retaining import MOST_ATTEMPTS, carry_out, claim_task
from services.api.commands.retention import create_policy, delete_policy, start_due, start_execution, stop_execution
from services.api.domain.retention import LEASE, PolicyDraft, Rule, Status, Template, Trigger, log_text
from services.api.queries.retention import find_policy, get_execution, get_task, verdicts_of
from shared.errors import Unavailable
from shared.events import EventContext
from shared.names import Digest, RepositoryName
from shared.registry.client import RegistryClient
from shared.selector import Selector
from tests.clients.images import make_image, make_index, make_referrer
from tests.integration.metadata.conftest import INSTANCE, Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer

NAME = "library/app"
APP = RepositoryName(NAME)
INSTANCE_ID = UUID(INSTANCE)

Sessions = sessionmaker[Session]


def newest(number: int, tags: str = "**") -> Rule:
    return Rule(
        template=Template.LATEST_PUSHED,
        number=number,
        repository_selectors=(Selector(decoration="repoMatches", pattern="**"),),
        tag_selectors=(Selector(decoration="matches", pattern=tags),),
    )


@dataclass
class Retention:
    """The policy of the project `library`, and whoever carries it out."""

    catalogue: Catalogue
    api: Sessions
    sessions: Sessions
    client: RegistryClient
    pusher: Pusher
    context: EventContext
    policy_id: int = 0

    def push(self, *tags: str) -> list[str]:
        """An image for each tag, the first the oldest; returns their digests."""
        images = [make_image(tag) for tag in tags]
        for tag, image in zip(tags, images, strict=True):
            self.pusher.push(NAME, tag, image)
            self.catalogue.observe(NAME, tag)
        return [image.digest for image in images]

    def policy(self, *rules: Rule, cron: str = "") -> None:
        draft = PolicyDraft(rules=rules, cron=cron)
        with self.api.begin() as session:
            self.policy_id = create_policy(
                session, draft, project_id=1, now=datetime.now(UTC), context=self.context
            )

    def start(self, *, dry_run: bool = False) -> int:
        with self.api.begin() as session:
            policy = find_policy(session, self.policy_id)
            assert policy
            return start_execution(
                session, policy, trigger=Trigger.MANUAL, dry_run=dry_run, now=datetime.now(UTC), context=self.context
            )

    def claim(self, *, after: timedelta = timedelta()) -> retaining.Claim | None:
        with self.sessions.begin() as session:
            return claim_task(session, pool_id=uuid4(), instance_id=INSTANCE_ID, now=datetime.now(UTC) + after)

    def run(self, *, after: timedelta = timedelta(), is_stopping: Callable[[], bool] = lambda: False) -> Status | None:
        claim = self.claim(after=after)
        assert claim is not None
        return carry_out(
            self.sessions, self.client, claim, clock=lambda: datetime.now(UTC) + after, is_stopping=is_stopping
        )

    def tags(self) -> list[str]:
        return sorted(self.client.tags(APP))

    def marks(self) -> list[tuple[Any, ...]]:
        return self.catalogue.rows("SELECT tags, mark FROM core.retention_verdicts ORDER BY task_id, position")

    def told(self) -> list[dict[str, Any]]:
        return [event["data"] for event in self.catalogue.events("retention.finished")]

    def status(self) -> tuple[str, str]:
        """Of the latest execution and its task."""
        ((execution, task),) = self.catalogue.rows(
            "SELECT e.status, t.status FROM core.retention_executions e"
            " JOIN core.retention_tasks t ON t.execution_id = e.id ORDER BY e.id DESC LIMIT 1"
        )
        return execution, task


@pytest.fixture
def retention(
    catalogue: Catalogue,
    api_sessions: Sessions,
    sessions: Sessions,
    client: RegistryClient,
    pusher: Pusher,
    context: EventContext,
) -> Retention:
    return Retention(catalogue, api_sessions, sessions, client, pusher, context)


def test_what_no_rule_keeps_goes_and_is_told(retention: Retention) -> None:
    old, mid, new = retention.push("v1", "v2", "v3")
    retention.policy(newest(1))
    retention.start()
    assert retention.run() is Status.SUCCESS
    assert retention.tags() == ["v3"]
    assert retention.client.resolve(APP, Digest(old)) is None
    assert retention.catalogue.digests(NAME) == {new}
    assert retention.status() == ("Success", "Success")
    assert {event["subject"] for event in retention.catalogue.events("artifact.deleted")} == {
        f"{NAME}@{old}", f"{NAME}@{mid}"
    }  # fmt: skip
    assert {event["actor"] for event in retention.catalogue.events("artifact.deleted")} == {"alice"}
    (told,) = retention.told()
    assert (told["total"], told["retained"], told["deleted"]) == (3, 1, 2)
    assert told["deleted_artifacts"] == [f"{NAME}:v2", f"{NAME}:v1"]
    assert '"template":"latestPushedK"' in told["rules"][0]
    assert retention.catalogue.rows("SELECT DISTINCT state FROM events.expected") == [("settled",)]
    assert retention.claim(after=LEASE * 2) is None


def test_a_dry_run_lists_what_would_go_and_deletes_nothing(retention: Retention) -> None:
    retention.push("v1", "v2")
    retention.policy(newest(1))
    execution_id = retention.start(dry_run=True)
    assert retention.run() is Status.SUCCESS
    assert retention.tags() == ["v1", "v2"]
    assert retention.catalogue.rows("SELECT count(*) FROM events.expected") == [(0,)]
    (told,) = retention.told()
    assert (told["dry_run"], told["deleted"], told["deleted_artifacts"]) == (True, 1, [f"{NAME}:v1"])
    ((task_id, total, retained),) = retention.catalogue.rows("SELECT id, total, retained FROM core.retention_tasks")
    assert (total, retained) == (2, 1)
    with retention.sessions() as session:
        task = get_task(session, execution_id, task_id)
        log = log_text(task, verdicts_of(session, task_id), dry_run=True).splitlines()
    assert [(line.split("|")[2].strip(), line.split("|")[-2].strip()) for line in log[7:9]] == [
        ("v1", "DEL"), ("v2", "RETAIN")
    ]  # fmt: skip


def test_an_artifact_keeps_all_its_tags_by_one_and_loses_all_without(retention: Retention) -> None:
    images = [make_image("one"), make_image("two")]
    for tag, image in (("keep", images[0]), ("other", images[0]), ("x", images[1]), ("y", images[1])):
        retention.pusher.push(NAME, tag, image)
        retention.catalogue.observe(NAME, tag)
    retention.policy(newest(5, "keep"))
    retention.start()
    retention.run()
    assert retention.tags() == ["keep", "other"]


def test_an_immutable_tag_stays(retention: Retention) -> None:
    retention.push("v1", "v2", "v3")
    retention.catalogue.rows(
        "INSERT INTO core.immutable_rules (project_id, repository_selectors, tag_selectors) VALUES (1,"
        """ '[{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}]',"""
        """ '[{"kind": "doublestar", "decoration": "matches", "pattern": "v1", "extras": ""}]') RETURNING id"""
    )
    retention.policy(newest(1))
    retention.start()
    assert retention.run() is Status.SUCCESS
    assert retention.tags() == ["v1", "v3"]
    assert retention.marks() == [(["v3"], "RETAIN"), (["v2"], "DEL"), (["v1"], "IMMUTABLE")]
    assert [(told["retained"], told["deleted"]) for told in retention.told()] == [(2, 1)]


def test_an_index_goes_with_its_children_and_a_child_that_is_needed_stays(retention: Retention) -> None:
    index = make_index("many")
    retention.pusher.push(NAME, "many", index)
    retention.pusher.push(NAME, "child", index.images[0])
    retention.catalogue.observe(NAME, "many", "child")
    retention.policy(newest(1, "many"))
    retention.start()
    assert retention.run() is Status.SUCCESS
    assert retention.tags() == ["child", "many"]
    (reason,) = retention.catalogue.rows("SELECT reason FROM core.retention_verdicts WHERE mark = 'ERR'")
    assert "referenced by an index" in reason[0]


def test_a_signature_stays_as_long_as_what_it_is_about_and_goes_with_it(retention: Retention) -> None:
    image = make_image("v2")
    signature = make_referrer(image.manifest)
    retention.push("v1")
    retention.pusher.push(NAME, "v2", image)
    retention.pusher.push(NAME, signature.digest, signature)
    retention.catalogue.observe(NAME, "v2", signature.digest)
    retention.policy(newest(1))
    for tag, tags, is_there in (("", ["v2"], True), ("v3", ["v3"], False)):
        if tag:
            retention.push(tag)
        retention.start()
        assert retention.run() is Status.SUCCESS
        assert retention.tags() == tags
        assert (retention.client.resolve(APP, Digest(signature.digest)) is not None) is is_there


def test_what_was_tagged_meanwhile_stays(retention: Retention) -> None:
    retention.push("v1", "v2")
    retention.policy(newest(1))
    retention.start()
    claim = retention.claim()
    assert claim
    stop = iter([True])
    carry_out(
        retention.sessions, retention.client, claim, clock=lambda: datetime.now(UTC), is_stopping=lambda: next(stop)
    )
    retention.pusher.push(NAME, "again", make_image("v1"))
    retention.catalogue.observe(NAME, "again")
    assert retention.run() is Status.SUCCESS
    assert retention.tags() == ["again", "v1", "v2"]
    assert retention.marks() == [(["v2"], "RETAIN"), (["v1"], "RETAIN")]


@pytest.mark.parametrize("moment", ["before planning", "after planning", "after one deletion", "before telling"])
def test_whoever_is_killed_is_followed_by_another_once_the_lease_has_ended(
    retention: Retention, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    retention.push("v1", "v2", "v3", "v4")
    retention.policy(newest(1))
    retention.start()
    with monkeypatch.context() as patch:
        if moment == "before planning":
            patch.setattr(retaining, "_plan", kill)
        elif moment == "after planning":
            patch.setattr(retaining, "_delete_all", kill)
        elif moment == "after one deletion":
            turns = iter([False])
            patch.setattr(retaining, "_delete", _then(retaining._delete, turns, kill))
        else:
            patch.setattr(retaining, "_finish", kill)
        with pytest.raises(Killed):
            retention.run()
    assert retention.claim() is None, "the lease still holds"
    assert retention.run(after=LEASE * 2) is Status.SUCCESS
    assert retention.tags() == ["v4"]
    assert [(told["total"], told["retained"], told["deleted"]) for told in retention.told()] == [(4, 1, 3)]
    assert len(retention.catalogue.events("artifact.deleted")) == 3


def _then(first: Callable[..., Any], turns: Any, otherwise: Callable[..., Any]) -> Callable[..., Any]:  # noqa: ANN401 - an iterator
    def call(*args: Any) -> Any:  # noqa: ANN401 - whatever the other takes
        return first(*args) if next(turns, True) is False else otherwise()

    return call


def test_a_task_that_is_given_back_is_in_nobodys_hands(retention: Retention) -> None:
    held = "SELECT count(holder) FROM core.retention_tasks"
    retention.push("v1", "v2")
    retention.policy(newest(1))
    retention.start()
    claim = retention.claim()
    assert claim
    assert retention.catalogue.rows("SELECT holder FROM core.retention_tasks") == [(claim.holder,)]
    carry_out(
        retention.sessions, retention.client, claim, clock=lambda: datetime.now(UTC), is_stopping=lambda: True
    )
    assert retention.catalogue.rows(held) == [(0,)]
    assert retention.run() is Status.SUCCESS
    assert retention.catalogue.rows(held) == [(0,)]


def test_a_stale_worker_writes_nothing(retention: Retention) -> None:
    retention.push("v1", "v2")
    retention.policy(newest(1))
    retention.start()
    stale = retention.claim()
    assert stale
    assert retention.claim(after=LEASE * 2) is not None
    assert carry_out(retention.sessions, retention.client, stale, clock=lambda: datetime.now(UTC)) is None
    assert retention.tags() == ["v1", "v2"]
    assert retention.marks() == []


def test_a_stop_ends_a_running_task_before_its_next_artifact(
    retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention.push("v1", "v2", "v3")
    retention.policy(newest(1))
    execution_id = retention.start()
    delete = retaining._delete

    def delete_and_stop(*args: Any) -> Any:  # noqa: ANN401 - as `_delete`
        done = delete(*args)
        with retention.api.begin() as session:
            stop_execution(session, execution_id, instance_id=INSTANCE_ID, now=datetime.now(UTC))
        return done

    monkeypatch.setattr(retaining, "_delete", delete_and_stop)
    assert retention.run() is Status.STOPPED
    assert retention.tags() == ["v1", "v3"]
    assert retention.marks() == [(["v3"], "RETAIN"), (["v2"], "DEL"), (["v1"], "STOPPED")]
    assert retention.status() == ("Stopped", "Stopped")
    assert [(told["status"], told["retained"], told["deleted"]) for told in retention.told()] == [("Stopped", 2, 1)]


def test_a_policy_deleted_under_a_running_task_ends_it(
    retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention.push("v1", "v2", "v3")
    retention.policy(newest(1))
    retention.start()
    delete = retaining._delete

    def delete_and_forget(*args: Any) -> Any:  # noqa: ANN401 - as `_delete`
        done = delete(*args)
        with retention.api.begin() as session:
            policy = find_policy(session, retention.policy_id)
            assert policy
            delete_policy(session, policy, now=datetime.now(UTC), context=retention.context)
        return done

    monkeypatch.setattr(retaining, "_delete", delete_and_forget)
    assert retention.run() is None
    assert retention.tags() == ["v1", "v3"]
    assert retention.told() == []


def test_a_registry_that_is_away_is_waited_for_and_at_last_given_up(
    retention: Retention, registry: RegistryServer
) -> None:
    retention.push("v1", "v2")
    retention.policy(newest(1))
    retention.start()
    registry.kill()
    for attempt in range(MOST_ATTEMPTS):
        with pytest.raises(Unavailable):
            retention.run(after=timedelta(hours=attempt))
        assert retention.claim(after=timedelta(hours=attempt)) is None, "it waits"
    assert retention.run(after=timedelta(hours=MOST_ATTEMPTS)) is Status.ERROR
    assert retention.status() == ("Error", "Error")
    registry.start()
    assert retention.tags() == ["v1", "v2"]
    assert [(told["status"], told["deleted"]) for told in retention.told()] == [("Error", 0)]


def test_a_schedule_fires_once_and_missed_firings_become_one(retention: Retention) -> None:
    retention.push("v1", "v2")
    retention.policy(newest(1), cron="0 0 * * * *")
    now = datetime.now(UTC)

    def fire(moment: datetime) -> bool:
        with retention.sessions.begin() as session:
            return start_due(session, instance_id=INSTANCE_ID, now=moment)

    assert fire(now) is False
    later = now + timedelta(hours=10)
    with retention.sessions.begin() as one, retention.sessions.begin() as other:
        fired = [start_due(session, instance_id=INSTANCE_ID, now=later) for session in (one, other)]
    assert fired == [True, False]
    assert fire(later) is False
    assert retention.run() is Status.SUCCESS
    assert retention.tags() == ["v2"]
    (event,) = retention.catalogue.events("retention.finished")
    assert (event["actor"], event["data"]["trigger"]) == ("system:metadata", "SCHEDULE")
    assert fire(later + timedelta(hours=1)) is True
    assert fire(later + timedelta(hours=2)) is True, "due, though the one before has not ended"
    assert retention.catalogue.rows("SELECT count(*) FROM core.retention_executions") == [(2,)]


def test_only_the_latest_executions_are_kept(retention: Retention, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.commands.retention.KEPT_EXECUTIONS", 2)
    retention.policy(newest(1))
    numbers = [retention.start() for _ in range(4)]
    kept = retention.catalogue.rows("SELECT id FROM core.retention_executions ORDER BY id")
    assert [number for (number,) in kept] == numbers[-2:]
    with retention.sessions() as session:
        assert get_execution(session, retention.policy_id, numbers[-1]).status is Status.SUCCESS
