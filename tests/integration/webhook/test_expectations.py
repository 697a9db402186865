"""What the gate expects is told by whoever settles it first."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.clients.notifications import event
from tests.integration.webhook.conftest import Intake

DIGEST = f"sha256:{'b' * 64}"


def expect(intake: Intake, *, kind: str = "put", state: str = "open", repository: str = "library/app") -> str:
    expected = str(uuid4())
    intake.rows(
        "INSERT INTO events.expected (id, kind, repository, reference, digest, actor, actor_kind, address, "
        "user_agent, request_id, state, settled_by) "
        "VALUES (%s, %s, %s, 'v1', %s, 'alice', 'user', '10.1.2.3', 'portal', 'rid-9', %s, %s) RETURNING id",
        expected, kind, repository, DIGEST, state, None if state == "open" else "reconciler",
    )  # fmt: skip
    return expected


def push(gate: str, **more: str) -> dict[str, object]:
    return event(
        "push", "library/app", digest=DIGEST, tag="v1", user_agent=f"docker/20 rid/r-1 gate/{gate}", **more
    )


def state(intake: Intake, expected: str) -> tuple[object, ...]:
    return intake.rows(
        "SELECT state, settled_by, notified_at IS NOT NULL FROM events.expected WHERE id = %s", expected
    )[0]


def test_a_notification_settles_what_is_open(intake: Intake) -> None:
    expected = expect(intake)
    intake.send(push(expected))
    assert state(intake, expected) == ("settled", "registry", True)
    [body] = intake.outbox()
    assert body["data"]["client"]["user_agent"] == "docker/20"
    assert body["data"]["request_id"] == "r-1"


def test_a_notification_after_the_reconciler_only_leaves_its_mark(intake: Intake) -> None:
    expected = expect(intake, state="settled")
    intake.send(push(expected))
    assert state(intake, expected) == ("settled", "reconciler", True)
    assert intake.outbox() == []


def test_what_the_gate_took_for_refused_and_happened_all_the_same_is_told(intake: Intake) -> None:
    expected = expect(intake, state="refused")
    intake.send(push(expected))
    assert state(intake, expected) == ("settled", "registry", True)
    assert len(intake.outbox()) == 1


def test_a_notification_of_another_manifest_settles_nothing(intake: Intake) -> None:
    other, deletion = expect(intake, repository="library/other"), expect(intake, kind="delete")
    intake.send(push(other), push(deletion), push(str(uuid4())))
    assert state(intake, other)[0] == state(intake, deletion)[0] == "open"
    assert len(intake.outbox()) == 3


def test_a_gate_id_that_a_client_wrote_itself_is_the_clients_text(intake: Intake) -> None:
    expected = expect(intake)
    intake.send(event("push", "library/app", digest=DIGEST, user_agent=f"x gate/{expected} rid/r-2"))
    assert state(intake, expected)[0] == "open"
    assert intake.outbox()[0]["data"]["client"]["user_agent"] == f"x gate/{expected}"


def test_what_the_system_does_on_somebodys_behalf_is_that_somebodys_act(intake: Intake) -> None:
    expected = expect(intake)
    intake.send(push(expected, actor="system:metadata"), push(str(uuid4()), actor="system:metadata"))
    [body] = intake.outbox()
    assert (body["actor"], body["actorkind"]) == ("alice", "user")
    assert body["data"]["client"] == {"address": "10.1.2.3", "user_agent": "portal"}
    assert body["data"]["request_id"] == "rid-9"


def test_who_settles_first_while_both_try_is_the_only_one_to_tell(intake: Intake) -> None:
    expected = expect(intake)
    with intake.database.superuser() as reconciler, ThreadPoolExecutor(1) as pool:
        with reconciler.transaction():
            reconciler.execute(
                "UPDATE events.expected SET state = 'settled', settled_by = 'reconciler' WHERE id = %s", (expected,)
            )
            sent = pool.submit(intake.send, push(expected))
            time.sleep(0.5)
            assert not sent.done(), "the intake waits for the reconciler's outcome"
        assert sent.result()[0] == 200
    assert state(intake, expected) == ("settled", "reconciler", True)
    assert intake.outbox() == []


@pytest.mark.parametrize(("action", "tag"), [("push", "v1"), ("push", None), ("delete", None)])
def test_a_push_of_a_tag_awaits_its_answer(intake: Intake, action: str, tag: str | None) -> None:
    expected = expect(intake, kind={"push": "put"}.get(action, action))
    agent = f"docker/20 rid/r-1 gate/{expected}"
    intake.send(event(action, "library/app", digest=DIGEST, tag=tag, user_agent=agent))
    assert intake.rows("SELECT awaits::text FROM events.outbox") == [(expected if tag else None,)]


def test_what_is_answered_awaits_nothing(intake: Intake) -> None:
    expected = expect(intake)
    intake.rows("UPDATE events.expected SET answered_at = now() WHERE id = %s RETURNING id", expected)
    intake.send(push(expected))
    assert intake.rows("SELECT awaits FROM events.outbox") == [(None,)]
