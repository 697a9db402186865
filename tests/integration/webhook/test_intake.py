"""The intake as the registry meets it: over HTTP, one request at a time, against a real database."""

from __future__ import annotations

import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid5

import pytest

from tests.clients.notifications import body_of, event
from tests.integration.broker import Process, environment
from tests.integration.conftest import Database
from tests.integration.webhook.conftest import INTAKE, Intake, intake_of
from tests.servers import wait_for

INSTANCE = UUID("4be0643f-1d98-573b-97cd-ca98a65347dd")


def test_a_push_becomes_one_event_with_an_id_of_its_own_making(intake: Intake) -> None:
    pushed = event("push", "library/app", tag="v1", user_agent="skopeo/1.9.3 rid/7f3a")
    assert intake.send(pushed)[0] == 200
    [body] = intake.outbox()
    assert body["id"] == str(uuid5(INSTANCE, pushed["id"]))
    assert body["type"] == "breakwater.artifact.pushed.v1"
    assert body["subject"] == "library/app:v1"
    assert (body["actor"], body["actorkind"]) == ("admin", "user")
    assert body["data"]["request_id"] == "7f3a"
    assert body["data"]["client"] == {"address": "127.0.0.1", "user_agent": "skopeo/1.9.3"}
    assert body["data"]["origin"] == "registry"


def test_the_projects_number_is_filled_in_where_the_project_is_known(intake: Intake) -> None:
    assert intake.send(event("pull", "library/app"), event("pull", "unknown/app"))[0] == 200
    known, unknown = intake.outbox()
    assert isinstance(known["data"]["project_id"], int)
    assert unknown["data"]["project_id"] is None


def test_the_same_notification_a_thousand_times_is_one_event(intake: Intake) -> None:
    same = event("pull", "library/app", tag="v1")
    for _ in range(1_000):
        assert intake.send(same)[0] == 200
    assert len(intake.outbox()) == 1


def test_the_same_notification_at_once_from_many_is_one_event(intake: Intake) -> None:
    same = body_of(event("push", "library/app", tag="v1"))

    def send(_: int) -> int:
        one = Intake(intake.port, intake.token, intake.process, intake.database)
        status = one.post(same)[0]
        one.close()
        return status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(40))) == {200}
    assert len(intake.outbox()) == 1


@pytest.mark.parametrize(
    "ignored",
    [
        event("pull", "library/app", method="HEAD"),
        event("mount", "library/app"),
        event("push", "library/app") | {"actor": {"name": "system:metadata"}},
        event("pull", "library/app", actor="system:metadata"),
    ],
    ids=["HEAD", "mount", "own write", "own read"],
)
def test_what_is_nobodys_business_is_accepted_and_forgotten(intake: Intake, ignored: dict[str, object]) -> None:
    assert intake.send(ignored)[0] == 200
    assert intake.outbox() == []
    assert intake.parked() == []


def test_blobs_are_no_events(intake: Intake) -> None:
    blob = event("push", "library/app")
    blob["target"] |= {"mediaType": "application/octet-stream", "url": "http://r/v2/library/app/blobs/sha256:00"}
    assert intake.send(blob)[0] == 200
    assert intake.outbox() == []


def test_replications_own_pull_does_not_count(intake: Intake) -> None:
    intake.send(event("pull", "library/app", actor="system:replication"), event("pull", "library/app"))
    assert [body["data"]["counted"] for body in intake.outbox()] == [False, True]


@pytest.mark.parametrize("token", [None, "", "Bearer", "Bearer wrong", "Basic {}", "bearer", "{}"])
def test_an_unauthenticated_notification_is_refused_and_never_kept(intake: Intake, token: str | None) -> None:
    header = {"Authorization": token.format(intake.token)} if token is not None else {"Authorization": ""}
    assert intake.post(body_of(event("push", "library/app")), **header)[0] == 401
    assert intake.post(b"{]" * 1000, **header)[0] == 401
    assert intake.outbox() == []
    assert intake.parked() == []


MALFORMED = {
    "no JSON": (b"{]", "not JSON"),
    "empty": (b"", "not JSON"),
    "bad UTF-8": (b'{"events": [{"id": "\xff"}]}', "UTF-8"),
    "UTF-16": ('{"events": []}'.encode("utf-16"), "UTF-8"),
    "gzip": (gzip.compress(b'{"events": []}'), "UTF-8"),
    "NaN": (b'{"events": [NaN]}', "not JSON"),
    "Infinity": (b'{"events": [{"size": -Infinity}]}', "not JSON"),
    "deep": (b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "a list": (b"[]", "list of events"),
    "no list": (b'{"events": 7}', "list of events"),
    "too many": (b'{"events": [' + b"{}," * 2_000 + b"{}]}", "more than"),
    "a number of 5,000 digits": (b'{"events": [' + b"9" * 5_000 + b"]}", "not JSON"),
    "an event that is a text": (b'{"events": ["push"]}', "no JSON object"),
    "no target": (json.dumps({"events": [{"id": "x", "action": "push"}]}).encode(), "no target"),
    "unknown action": (body_of(event("push", "library/app") | {"action": "explode"}), "explode"),
    "a digest that is none": (body_of(event("push", "library/app", digest="sha256:zz")), "sha256:zz"),
    "a repository that climbs": (body_of(event("push", "../etc/passwd")), "etc/passwd"),
    "a repository without a project": (body_of(event("push", "busybox")), "busybox"),
    "no timestamp": (body_of(event("push", "library/app") | {"timestamp": "soon"}), "timestamp"),
    "an id of NULs": (body_of(event("push", "library/app", event_id="\x00")), "usable id"),
    "a lone surrogate": (body_of(event("push", "library/app", event_id="\ud800")), "usable id"),
    "an id that is an object": (body_of(event("push", "library/app") | {"id": {"a": 1}}), "id is no text"),
    "a size that is infinite": (
        b'{"events": [' + json.dumps(event("push", "l/a")).replace("418", "1e999").encode() + b"]}",
        "size",
    ),
}


@pytest.mark.parametrize(("body", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_can_never_be_accepted_is_parked_with_its_reason_and_answered_with_success(
    intake: Intake, body: bytes, reason: str
) -> None:
    status, _ = intake.post(body)
    assert status == 200, "the registry would repeat it for ever, with everything else behind it"
    [(told, kept)] = intake.parked()
    assert reason in told
    assert kept[:20] == body[:20] or json.loads(kept)["events"]
    assert intake.outbox() == []


def test_text_that_jsonb_cannot_hold_is_made_printable(intake: Intake) -> None:
    odd = event("push", "library/app", actor="a\x00b\ud800", user_agent="x\x00\x1b[31m\udfff")
    assert intake.send(odd)[0] == 200
    [body] = intake.outbox()
    assert body["actor"].isprintable()
    assert body["data"]["client"]["user_agent"].isprintable()


def test_one_bad_event_does_not_take_its_good_neighbour_along(intake: Intake) -> None:
    assert intake.send({"id": "bad"}, event("pull", "library/app"))[0] == 200
    assert len(intake.outbox()) == 1
    assert len(intake.parked()) == 1


def test_a_body_out_of_proportion_is_parked_in_part(intake: Intake) -> None:
    assert intake.post(b" " * 3_000_000)[0] == 200
    [(reason, kept)] = intake.parked()
    assert "larger than" in reason
    assert len(kept) <= 65_536
    assert intake.send(event("pull", "library/app"))[0] == 200, "the connection is still good"


def test_a_body_no_registry_sends_is_refused_and_memory_stays_flat(intake: Intake) -> None:
    before = _resident(intake)
    for _ in range(3):
        assert intake.post(b'{"events": [' + b" " * 50_000_000)[0] == 413
        assert intake.post(b" " * 50_000_000, Authorization="Bearer wrong")[0] == 401
    assert _resident(intake) - before < 30_000_000
    assert intake.parked() == []


def test_a_body_of_unknown_or_unbearable_length_is_not_read(intake: Intake) -> None:
    for header, expected in {"Transfer-Encoding: chunked": b" 411 ", "Content-Length: 999999999999": b" 413 "}.items():
        with socket.create_connection(("127.0.0.1", intake.port), timeout=10) as peer:
            peer.sendall(f"POST /service/notifications HTTP/1.1\r\nHost: i\r\n{header}\r\n\r\n".encode())
            assert expected in peer.recv(1000)
            assert peer.recv(1000) == b"", "the connection is closed on it"


def test_broken_connections_do_not_stop_the_intake(intake: Intake) -> None:
    for garbage in (
        b"\x16\x03\x01\x00",
        b"GET",
        b"POST /service/notifications HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /service/notifications HTTP/1.1\r\nContent-Length: 100\r\n\r\nshort",
        b"\r\n" * 10,
    ):
        peer = socket.create_connection(("127.0.0.1", intake.port), timeout=10)
        peer.sendall(garbage)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        peer.close()
    assert intake.send(event("pull", "library/app"))[0] == 200
    assert intake.process.alive


def test_the_token_counts_and_not_what_the_body_calls_itself(intake: Intake) -> None:
    body = json.dumps({"events": [event("pull", "library/app")]}).encode()
    assert intake.post(body, **{"Content-Type": "text/plain", "Content-Encoding": "gzip"})[0] == 200
    assert len(intake.outbox()) == 1


def test_strangers_that_never_finish_hold_nobody_up(intake: Intake) -> None:
    """More of them than the process has workers."""
    with ExitStack() as stalled:
        for sent in (b"POST /service/no", b"POST /service/notifications HTTP/1.1\r\nContent-Length: 100\r\n\r\n{") * 20:
            peer = stalled.enter_context(socket.create_connection(("127.0.0.1", intake.port), timeout=10))
            peer.sendall(sent)
        time.sleep(0.3)
        begun = time.monotonic()
        assert intake.send(event("pull", "library/app"))[0] == 200
        assert time.monotonic() - begun < 2


def test_other_paths_and_methods_lead_nowhere(intake: Intake) -> None:
    with socket.create_connection(("127.0.0.1", intake.port), timeout=10) as peer:
        for request, status in {
            "GET /service/notifications": b"405",
            "POST /readyz": b"405",
            "GET /internal/health": b"404",
            "GET /": b"404",
        }.items():
            peer.sendall(f"{request} HTTP/1.1\r\nHost: i\r\nContent-Length: 0\r\n\r\n".encode())
            assert peer.recv(4000).split(b" ")[1] == status


def test_out_of_order_notifications_are_all_kept_in_the_order_they_came(intake: Intake) -> None:
    digest = f"sha256:{'a' * 64}"
    intake.send(event("delete", "library/app", digest=digest))
    intake.send(event("push", "library/app", digest=digest, tag="v1"))
    assert [body["type"].split(".")[2] for body in intake.outbox()] == ["deleted", "pushed"]


def test_a_deleted_digest_and_its_tags_are_events_each(intake: Intake) -> None:
    by_tag = event("delete", "library/app", tag="v2")
    del by_tag["target"]["digest"]
    intake.send(event("delete", "library/app"), by_tag)
    assert [body["type"] for body in intake.outbox()] == [
        "breakwater.artifact.deleted.v1",
        "breakwater.tag.deleted.v1",
    ]


def test_the_database_away_is_a_quick_503_and_no_loss(own_intake: Intake) -> None:
    assert own_intake.send(event("pull", "library/app"))[0] == 200
    with own_intake.database.server.connect() as server:
        server.execute(f"ALTER DATABASE {own_intake.database.name} ALLOW_CONNECTIONS false".encode())
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (own_intake.database.name,)
        )
        late = event("pull", "library/app")
        begun = time.monotonic()
        assert own_intake.send(late)[0] == 503
        assert own_intake.health() == 503
        assert time.monotonic() - begun < 3
        server.execute(f"ALTER DATABASE {own_intake.database.name} ALLOW_CONNECTIONS true".encode())
    assert own_intake.send(late)[0] == 200
    assert len(own_intake.outbox()) == 2
    assert own_intake.health() == 200


def test_a_database_that_takes_no_writing_is_a_503_and_nothing_is_parked(own_intake: Intake) -> None:
    """As a standby during a fail-over."""
    late = event("pull", "library/app")
    with own_intake.database.server.connect() as server:
        server.execute(
            f"ALTER ROLE breakwater_intake IN DATABASE {own_intake.database.name} "
            "SET default_transaction_read_only = on".encode()
        )
        assert own_intake.send(late)[0] == 503
        server.execute(f"ALTER ROLE breakwater_intake IN DATABASE {own_intake.database.name} RESET ALL".encode())
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'breakwater_intake'")
    assert own_intake.send(late)[0] == 200
    assert len(own_intake.outbox()) == 1
    assert own_intake.parked() == []


def test_dropped_connections_are_made_anew_without_a_word(own_intake: Intake) -> None:
    assert own_intake.send(event("pull", "library/app"))[0] == 200
    with own_intake.database.superuser() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'breakwater_intake'")
    assert own_intake.send(event("pull", "library/app"))[0] == 200


def test_killed_between_commit_and_answer_the_repeated_notification_counts_once(
    database: Database, tmp_path: Path
) -> None:
    sent = event("push", "library/app", tag="v1")
    with intake_of(database, tmp_path / "first") as intake:
        assert intake.send(sent)[0] == 200
        intake.process.kill()
    with intake_of(database, tmp_path / "second") as intake:
        assert intake.send(sent)[0] == 200
        assert len(intake.outbox()) == 1


@pytest.mark.parametrize("idle_seconds", [0, 2])
def test_sigterm_ends_it_cleanly(own_intake: Intake, idle_seconds: float) -> None:
    assert own_intake.send(event("pull", "library/app"))[0] == 200
    time.sleep(idle_seconds)  # nothing but the signal wakes it
    begun = time.monotonic()
    assert own_intake.process.terminate() == 0
    assert time.monotonic() - begun < 5


def test_a_missing_secret_is_one_sentence_and_exit_code_1(database: Database, tmp_path: Path) -> None:
    (tmp_path / "instance-id").write_text(str(INSTANCE))
    home = environment(database.settings("intake"), BREAKWATER_HOME=str(tmp_path))
    process = Process(INTAKE, home, tmp_path / "log")
    wait_for(lambda: not process.alive, seconds=20, what="it ends")
    assert process.terminate() == 1
    said = process.log.read_text()
    assert said.count("\n") == 1
    assert said.startswith(f"the secret {tmp_path}/secrets/intake/notification-token cannot be read")


def _resident(intake: Intake) -> int:
    status = Path(f"/proc/{intake.process._process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024
