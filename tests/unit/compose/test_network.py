from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from compose.local.folders import PortTaken, refuse_taken_port
from compose.local.network import holder, is_free, kept_ports, settle_ports
from compose.local.options import Options
from shared.errors import ConfigurationError
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        yield server.getsockname()[1]


def test_ports_are_kept_from_start_to_start(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = settle_ports(file)
    assert settle_ports(file) == first == kept_ports(file)
    assert len({first.amqp, first.distribution, first.epmd, first.intake}) == 4


def test_port_that_was_taken_meanwhile_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = settle_ports(file)
    with socket.socket() as server:
        server.bind(("127.0.0.1", first.amqp))
        server.listen(1)
        second = settle_ports(file)
    assert second.amqp != first.amqp
    assert (second.distribution, second.epmd, second.intake) == (first.distribution, first.epmd, first.intake)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"amqp": 1}'])
def test_unreadable_ports_are_chosen_anew(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(content)
    assert kept_ports(file) is None
    assert settle_ports(file) == kept_ports(file)


def test_taken_port_is_seen_and_its_holder_named(taken: int) -> None:
    assert not is_free("127.0.0.1", taken)
    assert holder(taken) == os.getpid()


def test_refusal_of_a_taken_port_says_which_and_by_whom(taken: int) -> None:
    with pytest.raises(PortTaken) as refusal:
        refuse_taken_port(Options(port=taken))
    assert refusal.value.sentence.startswith(f"port {taken} on 127.0.0.1 is taken by ")
    assert f"(pid {os.getpid()}): stop it, or set BREAKWATER_PORT" in refusal.value.sentence


def test_refusal_of_a_taken_second_port_names_its_own_variable(taken: int) -> None:
    with pytest.raises(PortTaken) as refusal:
        refuse_taken_port(Options(port=free_port(), redirect_port=taken, tls_names="registry.test"))
    assert refusal.value.sentence.startswith(f"port {taken} on 127.0.0.1 is taken by ")
    assert f"(pid {os.getpid()}): stop it, or set BREAKWATER_REDIRECT_PORT" in refusal.value.sentence


def test_address_of_another_machine_is_refused_as_such() -> None:
    with pytest.raises(ConfigurationError, match=r"BREAKWATER_BIND is not valid: .* cannot listen on 192\.0\.2\.1"):
        refuse_taken_port(Options(bind="192.0.2.1", port=18080))
