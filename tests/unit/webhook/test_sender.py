"""One attempt against a real server on loopback: what it counts as, and in which words a failure is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from services.webhook.domain.delivery import Claim, Fault
from services.webhook.sender import MOST_KEPT, Sender
from shared.outbound import Guard, Reach
from shared.secrets import Sealer, Secret
from tests.clients.receiver import Reply, receiving

SEALER = Sealer([Secret(Fernet.generate_key().decode())])


def sender() -> Sender:
    guard = Guard(Reach.PUBLIC, [ip_network("127.0.0.0/8")])
    return Sender(guard, SEALER, clock=lambda: datetime.now(UTC))


def claim(address: str, **more: Any) -> Claim:  # noqa: ANN401
    values: dict[str, Any] = {
        "lease": uuid4(), "delivery_id": 1, "uid": uuid4(), "number": 1, "target_id": 1, "policy_id": 1,
        "project_id": 1, "quick": False, "address": address, "skip_cert_verify": False, "auth_header": None,
        "signing_secret": None,
        "event_type": "PUSH_ARTIFACT", "content_type": "application/json", "body": '{"type":"PUSH_ARTIFACT"}',
    }  # fmt: skip
    return Claim(**(values | more))


@pytest.mark.parametrize(
    ("status", "fault"),
    [(200, None), (204, None), (299, None), (301, Fault.DELIVERY), (307, Fault.DELIVERY), (400, Fault.DELIVERY),
     (404, Fault.DELIVERY), (410, Fault.DELIVERY), (408, Fault.TARGET), (429, Fault.TARGET), (500, Fault.TARGET),
     (503, Fault.TARGET)],
)  # fmt: skip
def test_a_status_tells_whose_fault_it_is(status: int, fault: Fault | None) -> None:
    with receiving(lambda _received: Reply(status=status, body=b"")) as receiver:
        outcome = sender().send(claim(receiver.url))
    assert outcome.fault is fault
    assert outcome.message.startswith(f"the target answered {status}")


@contextmanager
def listener(answer: bytes) -> Iterator[str]:
    """Answers each connection with some bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_what_is_no_http_is_the_targets_fault() -> None:
    with listener(b"220 smtp.example.test ESMTP\r\n") as url:
        outcome = sender().send(claim(url))
    assert (outcome.fault, outcome.message) == (
        Fault.TARGET, "the target broke the connection off, or does not speak HTTP",
    )  # fmt: skip


def test_a_body_that_breaks_off_decides_nothing() -> None:
    with listener(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf") as url:
        outcome = sender().send(claim(url))
    assert outcome.fault is None
    assert outcome.response.startswith("200 OK")


def test_a_body_of_any_size_is_read_up_to_its_limit() -> None:
    with receiving(lambda _received: Reply(body=b"x" * 10_000_000)) as receiver:
        outcome = sender().send(claim(receiver.url))
    assert outcome.response.count("x") == MOST_KEPT


def test_a_port_where_nobody_listens_is_told_as_such() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = sender().send(claim(f"http://127.0.0.1:{closed.getsockname()[1]}/"))
    assert (refused.fault, refused.message) == (Fault.TARGET, "no connection to the target can be made")


def test_silence_is_told_from_other_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.webhook.sender.READ_SECONDS", 0.2)
    with receiving(lambda _received: Reply(seconds=1)) as receiver:
        outcome = sender().send(claim(receiver.url))
    assert outcome.fault is Fault.SILENT


def test_a_closed_address_is_refused_by_name_without_telling_what_it_is() -> None:
    guard = Guard(Reach.PUBLIC, resolve=lambda *_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.9.8.7", 80))])
    outcome = Sender(guard, SEALER, clock=lambda: datetime.now(UTC)).send(claim("http://intranet.example.test/"))
    assert outcome.fault is Fault.TARGET
    assert outcome.message == "requests may not go to the address of intranet.example.test"


def test_secrets_are_sent_and_not_shown() -> None:
    with receiving() as receiver:
        sealed = SEALER.seal(Secret("Basic canary")), SEALER.seal(Secret("key"))
        made = claim(receiver.url, auth_header=sealed[0], signing_secret=sealed[1])
        outcome = sender().send(made)
    assert receiver.received[0].headers["Authorization"] == "Basic canary"
    assert "canary" not in repr(outcome)
    assert sealed[0] not in repr(made)
