"""Connections to a broker outside: over TLS, to the nodes of a cluster one after the other, as users of its own."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import amqp
import pytest
from msgspec.structs import replace

from compose.local.certificate import make_certificate
from gateway.core.health import _broker
from shared.messaging.connection import connected
from shared.messaging.topology import QUEUES, USERS, definitions
from shared.secrets import Secret
from shared.settings import Settings
from tests.outside_broker import OutsideBroker, outside_broker
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def outside() -> Iterator[OutsideBroker]:
    with outside_broker() as started:
        passwords = {user: Secret(f"of-{user}") for user in USERS}
        file = started.rabbit.home / "definitions.json"
        file.write_text(json.dumps(definitions(passwords, vhost="images", users="one-")))
        started.rabbit.control("import_definitions", str(file))
        yield started


@pytest.fixture
def settings(outside: OutsideBroker, tmp_path: Path) -> Settings:
    folder = tmp_path / "secrets" / "owner"
    folder.mkdir(parents=True)
    (folder / "amqp-password").write_text("of-owner")
    return Settings(
        home=tmp_path, run=tmp_path, part="owner", amqp_nodes=f"localhost:{outside.tls_port}", amqp_vhost="images",
        amqp_users="one-", amqp_authorities=outside.ca,
    )  # fmt: skip


def changed(settings: Settings, **values: object) -> Settings:
    return replace(settings, **values)


def test_the_queues_are_there_over_tls(settings: Settings) -> None:
    with connected(settings) as connection:
        assert isinstance(connection.transport.sock, ssl.SSLSocket)
        for queue in QUEUES:
            connection.channel().queue_declare(queue, passive=True)


def test_the_next_node_is_tried_where_one_is_away(settings: Settings) -> None:
    for nodes in ("localhost:{away},{there}", "{there},localhost:{away}"):
        both = nodes.format(away=free_port(), there=settings.amqp_nodes)
        for _ in range(4):
            with connected(changed(settings, amqp_nodes=both)) as connection:
                assert connection.connected
        assert _broker(changed(settings, amqp_nodes=both)) is None


def test_where_all_are_away_that_is_raised(settings: Settings) -> None:
    away = changed(settings, amqp_nodes=f"localhost:{free_port()},localhost:{free_port()}")
    with pytest.raises(ConnectionRefusedError), connected(away):
        pass
    assert _broker(away) == "the broker does not answer"


def test_a_node_that_does_not_prove_its_name_gets_no_password(settings: Settings, tmp_path: Path) -> None:
    other, _ = make_certificate(tmp_path / "other", ["localhost"], datetime.now(UTC))
    address = settings.amqp_nodes.replace("localhost", "127.0.0.1")
    for wrong in (changed(settings, amqp_authorities=other), changed(settings, amqp_nodes=address)):
        with pytest.raises(ssl.SSLCertVerificationError), connected(wrong):
            pass
        assert _broker(wrong) == "the broker does not answer"


def test_in_the_open_nothing_is_asked_of_it(settings: Settings, outside: OutsideBroker) -> None:
    plain = changed(settings, amqp_authorities=None, amqp_nodes=f"127.0.0.1:{outside.rabbit.port}")
    with connected(plain) as connection:
        assert not isinstance(connection.transport.sock, ssl.SSLSocket)


def test_a_wrong_password_is_a_refusal_and_not_an_absence(settings: Settings) -> None:
    (settings.home / "secrets" / "owner" / "amqp-password").write_text("another")
    with pytest.raises(amqp.AccessRefused), connected(settings):
        pass


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("a", (("a", 5671),)),
        ("a:1, b.example:2,[::1]:3,[::2],", (("a", 1), ("b.example", 2), ("::1", 3), ("::2", 5671))),
    ],
)
def test_nodes_are_hosts_with_their_ports_or_the_usual_one(
    settings: Settings, text: str, nodes: tuple[tuple[str, int], ...]
) -> None:
    assert changed(settings, amqp_nodes=text).brokers == nodes
