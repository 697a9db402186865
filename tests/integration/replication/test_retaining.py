"""A project's retention policy goes along, is followed, is never taken from somebody else, and survives each crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from services.replication.commands import retention as commands
from services.replication.commands.retention import Seat
from services.replication.domain.claim import Claim
from services.replication.domain.registry import RegistryKind
from services.replication.domain.retention import Mark
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue
from services.replication.errors import AttemptFailed
from services.replication.retaining import retain
from tests.clients.retaining import RetainingHarbor, retaining_harbor, rule
from tests.clients.scripted import Reply
from tests.integration.remote_rig import catalogue
from tests.integration.replication.desk import Desk, failure

LEFT = "is left as it is"


@dataclass
class Rig:
    """One policy that takes retention along, its target, and what its tasks say."""

    desk: Desk
    harbor: RetainingHarbor
    target: Catalogue
    policy: int
    said: list[str] = field(default_factory=list)

    def keep(self, *rules: dict[str, Any], cron: str = "") -> None:
        """What the project keeps here."""
        self.desk.rows(
            """
            INSERT INTO core.retention_policies (project_id, rules) SELECT id, %s FROM core.projects WHERE name = 'p'
            ON CONFLICT (project_id) DO UPDATE SET rules = excluded.rules
            """,
            Jsonb(list(rules)),
        )
        self.desk.rows("DELETE FROM core.schedules WHERE kind = 'retention'")
        if cron:
            self.desk.rows(
                """
                INSERT INTO core.schedules (kind, owner_id, cron, next_at)
                SELECT 'retention', id, %s, now() FROM core.retention_policies
                """,
                cron,
            )

    def keep_nothing(self) -> None:
        self.desk.rows("DELETE FROM core.retention_policies")

    def claims(self, *tags: str) -> list[Claim]:
        self.desk.execution(self.policy, *tags)
        return self.desk.claim(self.desk.worker())

    def run(self) -> None:
        """An execution of one task sees to it."""
        (claim,) = self.claims("v1")
        self.see_to(claim)
        self.desk.settle(claim.worker, {claim.task_id: failure(Fault.CONFLICT)})

    def see_to(self, claim: Claim) -> None:
        retain(self.desk.sessions, self.target, claim, self.said.append)

    def mark(self) -> tuple[Any, ...]:
        """Number, what was carried, whether something is intended, whether it is somebody else's, its holder."""
        number, carried, intended, stopped, task = self.desk.one(
            "SELECT number, carried, intended, stopped, task_id FROM replication.retentions"
        )
        kept = None if carried is None else [each["params"].get("latestPushedK") for each in carried["rules"]]
        return number, kept, intended is not None, stopped, task

    def told(self) -> str:
        """The message of the newest execution."""
        return str(self.desk.one("SELECT message FROM replication.executions ORDER BY id DESC LIMIT 1")[0])


@pytest.fixture
def rig(desk: Desk) -> Iterator[Rig]:
    desk.rows("INSERT INTO core.projects (name, owner_id) SELECT 'p', min(id) FROM core.users")
    with retaining_harbor() as harbor:
        target = catalogue(harbor.server.url, RegistryKind.HARBOR, access_key="robot$copier", access_secret="canary")
        yield Rig(desk, harbor, target, desk.policy("p"))


def test_it_is_made_at_the_target_with_its_schedule(rig: Rig) -> None:
    rig.keep(rule(number=3), rule("always", None), cron="0 0 2 * * *")
    rig.run()
    assert rig.harbor.rules_of("p") == [rule(number=3), rule("always", None)]
    assert rig.harbor.cron_of("p") == "0 0 2 * * *"
    assert rig.mark() == (1, [3, None], False, False, None)
    assert rig.said == ["the retention policy of p is made as it is here"]
    assert rig.told() == ""


def test_a_project_that_keeps_all_costs_the_target_nothing(rig: Rig) -> None:
    rig.run()
    assert rig.harbor.server.lines == []
    assert rig.said == []


def test_an_execution_looks_once_however_many_tasks_it_has(rig: Rig) -> None:
    rig.keep(rule())
    for claim in rig.claims("a", "b", "c"):
        rig.see_to(claim)
    assert len(rig.harbor.server.lines) == 2
    rig.run()
    assert len(rig.harbor.server.lines) == 4
    assert len(rig.harbor.writes()) == 1


def test_a_change_here_is_followed_and_so_is_its_end(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.run()
    rig.keep(rule(number=5), cron="0 0 2 * * *")
    rig.run()
    assert (len(rig.harbor.rules_of("p") or ()), rig.harbor.cron_of("p")) == (1, "0 0 2 * * *")
    assert rig.mark()[:2] == (1, [5])
    rig.keep_nothing()
    rig.run()
    assert (rig.harbor.rules_of("p"), rig.harbor.cron_of("p")) == ([], "")
    rig.keep(rule(number=7))
    rig.run()
    assert rig.mark() == (1, [7], False, False, None)
    assert rig.said[1:] == [
        "the retention policy of p is what it is here now",
        "the retention policy of p has no rules now, for there are none here",
        "the retention policy of p is what it is here now",
    ]


def test_what_somebody_else_has_made_is_never_touched(rig: Rig) -> None:
    rig.harbor.by_hand("p", rule(number=9))
    rig.keep(rule(number=3))
    for _ in range(2):
        rig.run()
        assert rig.told() == f"the retention policy of p was made there by somebody else: it {LEFT}"
    assert rig.said == [rig.told()] * 2
    assert rig.harbor.writes() == []
    assert rig.harbor.rules_of("p") == [rule(number=9)]


def test_what_happens_to_be_the_same_is_nobodys_business(rig: Rig) -> None:
    rig.harbor.by_hand("p", rule(number=3))
    rig.keep(rule(number=3))
    rig.run()
    assert (rig.said, rig.told(), rig.harbor.writes()) == ([], "", [])
    rig.keep(rule(number=4))
    rig.run()
    assert rig.harbor.rules_of("p") == [rule(number=3)]
    assert LEFT in rig.told()


def test_what_is_changed_there_is_followed_no_more_until_it_is_as_it_was(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.run()
    made = rig.harbor.rules_of("p") or []
    rig.harbor.by_hand("p", rule(number=9))
    rig.keep(rule(number=4))
    rig.run()
    assert rig.told() == f"the retention policy of p was changed there by somebody else: it {LEFT}"
    assert rig.said[-1] == rig.told()
    assert rig.harbor.rules_of("p") == [rule(number=9)]
    assert rig.mark() == (1, [3], False, True, None)
    rig.harbor.by_hand("p", *made)
    rig.run()
    assert rig.mark() == (1, [4], False, False, None)
    assert rig.said[-1] == "the retention policy of p is what it is here now"


def test_what_is_deleted_there_is_not_made_again(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.run()
    del rig.harbor.projects["p"]["metadata"]["retention_id"]
    rig.run()
    assert rig.told() == f"the retention policy of p was deleted there by somebody else: it {LEFT}"
    assert rig.harbor.rules_of("p") is None
    assert rig.mark()[3] is True
    # as the API does where the policy is told to take none along any more
    rig.desk.rows("DELETE FROM replication.retentions WHERE stopped")
    rig.run()
    assert rig.harbor.rules_of("p") is not None


def test_where_both_sides_have_let_it_go_it_begins_anew(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.run()
    del rig.harbor.projects["p"]["metadata"]["retention_id"]
    rig.keep_nothing()
    rig.run()
    rig.keep(rule(number=4))
    rig.run()
    assert len(rig.harbor.rules_of("p") or ()) == 1
    assert rig.told() == ""


def test_a_project_made_anew_there_gets_it_anew(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.run()
    rig.harbor.project("p", number=8)
    rig.run()
    assert len(rig.harbor.rules_of("p") or ()) == 1
    assert rig.mark()[:2] == (2, [3])


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("changed_meanwhile", [False, True])
def test_broken_off_after_the_target_was_written_it_is_known_again(
    rig: Rig, method: str, changed_meanwhile: bool  # noqa: FBT001
) -> None:
    rig.keep(rule(number=3))
    if method == "PUT":
        rig.run()
        rig.keep(rule(number=4))
    rig.harbor.lost = {method}
    (claim,) = rig.claims("v1")
    with pytest.raises(AttemptFailed):
        rig.see_to(claim)
    assert rig.mark()[2:] == (True, False, None)
    rig.harbor.lost = set()
    if changed_meanwhile:
        rig.keep(rule(number=5))
    rig.see_to(claim)
    assert rig.mark()[0] == 1
    assert rig.mark()[2:] == (False, False, None)
    assert rig.told() == ""
    wanted = 5 if changed_meanwhile else (3 if method == "POST" else 4)
    assert [each["params"] for each in rig.harbor.rules_of("p") or ()] == [{"latestPushedK": wanted}]
    assert [line.partition(" ")[0] for line in rig.harbor.writes()].count("POST") == 1


def test_broken_off_before_the_target_was_written_it_is_written_later(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.harbor.refusals["POST"] = Reply(hang_up=True)
    (claim,) = rig.claims("v1")
    with pytest.raises(AttemptFailed):
        rig.see_to(claim)
    rig.harbor.refusals = {}
    rig.see_to(claim)
    assert rig.mark() == (1, [3], False, False, None)


def test_broken_off_before_it_was_made_what_somebody_makes_then_is_theirs(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.harbor.refusals["POST"] = Reply(hang_up=True)
    (claim,) = rig.claims("v1")
    with pytest.raises(AttemptFailed):
        rig.see_to(claim)
    rig.harbor.refusals = {}
    rig.harbor.by_hand("p", rule(number=9))
    rig.see_to(claim)
    assert rig.harbor.rules_of("p") == [rule(number=9)]
    assert "was made there by somebody else" in rig.told()


def test_one_task_sees_to_it_and_none_that_has_ended_or_lost_its_worker_is_in_the_way(rig: Rig) -> None:
    rig.keep(rule(number=3))
    first, second, third = rig.claims("a", "b", "c")

    def taken(claim: Claim) -> tuple[Seat, Mark] | None:
        with rig.desk.sessions.begin() as session:
            return commands.take(session, claim, "p")

    held = taken(first)
    assert held is not None
    assert (taken(second), taken(first)) == (None, held)
    rig.desk.dies(first.worker)
    rig.desk.reap()
    anew = rig.desk.claim(rig.desk.worker())
    assert {claim.task_id for claim in anew} == {first.task_id, second.task_id, third.task_id}
    later = next(claim for claim in anew if claim.task_id == second.task_id)
    again = taken(later)
    assert again is not None
    with rig.desk.sessions.begin() as session:
        assert (held[0].intend(session, Mark()), again[0].intend(session, Mark())) == (False, True)
    rig.desk.settle(later.worker, {later.task_id: failure(Fault.CONFLICT)})
    assert taken(next(claim for claim in anew if claim.task_id == third.task_id)) is not None


def test_a_refusal_fails_the_task_and_lets_the_next_one_try(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.harbor.refusals["POST"] = Reply.refusing(403, "FORBIDDEN", "robots may not")
    first, second = rig.claims("v1", "v2")
    with pytest.raises(AttemptFailed, match="robots may not") as failed:
        rig.see_to(first)
    assert failed.value.fault is Fault.DENIED
    rig.harbor.refusals = {}
    rig.see_to(second)
    assert rig.mark() == (1, [3], False, False, None)


def test_two_policies_to_one_registry_follow_together(rig: Rig) -> None:
    rig.keep(rule(number=3))
    rig.run()
    rig.keep(rule(number=4))
    rig.policy = rig.desk.policy("another")
    rig.run()
    assert rig.mark() == (1, [4], False, False, None)
    assert rig.told() == ""
