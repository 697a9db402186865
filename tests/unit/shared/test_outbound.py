"""Where requests to the outside may go: each address in each of its forms, names that change their mind, redirects."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, LocationParseError, NameResolutionError, NewConnectionError

from shared.outbound import Guard, OutboundClient, OutboundRefused, Reach

LOOPBACK = ip_network("127.0.0.0/8")
ALWAYS_CLOSED = [
    "127.0.0.1", "127.8.9.10", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.255.255.255",
    "255.255.255.255", "240.0.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "0.0.0.0",  # noqa: S104 - nobody binds to it
    "::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "192.0.0.1", "198.18.0.1",
    "192.0.2.1", "198.51.100.1", "203.0.113.1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1",
    "::ffff:10.0.0.1", "2002:c0a8:101::", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("address", ALWAYS_CLOSED)
def test_some_addresses_are_closed_to_everybody(address: str, reach: Reach) -> None:
    assert not Guard(reach).permits(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_for_those_who_may_reach_them(address: str) -> None:
    assert not Guard(Reach.PUBLIC).permits(ip_address(address))
    assert Guard(Reach.PRIVATE).permits(ip_address(address))


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_open(address: str, reach: Reach) -> None:
    assert Guard(reach).permits(ip_address(address))


def test_what_the_operator_allows_is_allowed_and_nothing_beside_it() -> None:
    guard = Guard(Reach.PUBLIC, [ip_network("127.0.0.0/30"), ip_network("fd00:1::/64")])
    assert guard.permits(ip_address("127.0.0.2"))
    assert guard.permits(ip_address("::ffff:127.0.0.2"))
    assert guard.permits(ip_address("fd00:1::5"))
    assert not guard.permits(ip_address("127.0.0.5"))
    assert not guard.permits(ip_address("fd00:2::5"))


@pytest.mark.parametrize(
    ("host", "refused"),
    [("127.0.0.1", True), ("[::1]", True), ("::1", True), ("8.8.8.8", False), ("localhost", False),
     ("2130706433", False)],
)  # fmt: skip
def test_a_literal_address_is_refused_early_and_a_name_is_not_judged_yet(host: str, *, refused: bool) -> None:
    assert Guard(Reach.PUBLIC).refuses(host) is refused


class Answers:
    """A resolver that gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _host: str, port: int, *_more: object) -> list[tuple[Any, ...]]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
                for each in answer]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """Redirects to itself, or answers what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/internal")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


class Target(ThreadingHTTPServer):
    """A server on loopback that remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def serving() -> Iterator[Target]:
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target() -> Iterator[Target]:
    with serving() as server:
        yield server


def client(resolve: Any = socket.getaddrinfo, *allowed: Any) -> OutboundClient:  # noqa: ANN401
    return OutboundClient(Guard(Reach.PUBLIC, allowed, resolve=resolve), timeout=Timeout(connect=2, read=2))


def post(client: OutboundClient, url: str) -> tuple[int, bytes]:
    with client.send("POST", url, headers={"X-Test": "1"}, body=b"body") as response:
        return response.status, response.read(100)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost",
     "169.254.169.254", "10.0.0.1"],
)  # fmt: skip
def test_no_spelling_of_a_closed_address_is_connected_to(target: Target, host: str) -> None:
    with pytest.raises(OutboundRefused):
        post(client(), f"http://{host}:{target.port}/")
    assert target.seen == []


def test_a_name_that_stands_for_a_closed_address_is_not_connected_to(target: Target) -> None:
    with pytest.raises(OutboundRefused, match="to the address of metadata"):
        post(client(Answers(["169.254.169.254", "127.0.0.1"])), f"http://metadata.internal:{target.port}/")
    assert target.seen == []


def test_a_name_is_asked_for_once_and_the_judged_address_is_connected_to(target: Target) -> None:
    """DNS rebinding: a second question would be answered with an address that is closed."""
    answers = Answers(["127.0.0.1"], ["169.254.169.254"])
    assert post(client(answers, LOOPBACK), f"http://rebind.example:{target.port}/x") == (200, b"body")
    assert answers.asked == 1
    assert target.seen[0][1]["Host"] == f"rebind.example:{target.port}"


def test_each_request_is_judged_anew(target: Target) -> None:
    changing = client(Answers(["127.0.0.1"], ["169.254.169.254"]), LOOPBACK)
    post(changing, f"http://rebind.example:{target.port}/x")
    with pytest.raises(OutboundRefused):
        post(changing, f"http://rebind.example:{target.port}/x")
    assert len(target.seen) == 1


def test_of_several_addresses_the_permitted_ones_are_tried(target: Target) -> None:
    mixed = Answers(["10.0.0.1", "127.0.0.9", "127.0.0.1"])
    assert post(client(mixed, LOOPBACK), f"http://mixed.example:{target.port}/")[0] == 200


def test_who_connects_himself_gets_a_few_permitted_addresses_in_their_order() -> None:
    answers = Answers(["10.0.0.1", "127.0.0.9", *(f"127.0.0.{number}" for number in range(1, 9)), "::1"])
    given = Guard(Reach.PUBLIC, [LOOPBACK], resolve=answers).addresses("many.example", 389)
    assert [each[4] for each in given] == [("127.0.0.9", 389), *((f"127.0.0.{number}", 389) for number in range(1, 4))]
    assert answers.asked == 1


def test_a_redirect_is_not_followed(target: Target) -> None:
    allowed = client(socket.getaddrinfo, LOOPBACK)
    assert post(allowed, f"http://127.0.0.1:{target.port}/redirect")[0] == 302
    assert [path for path, _, _ in target.seen] == ["/redirect"]


def test_proxies_and_passwords_of_the_environment_are_not_heeded(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Any  # noqa: ANN401
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password canary\n")
    for name, value in {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert post(client(socket.getaddrinfo, LOOPBACK), f"http://127.0.0.1:{target.port}/")[0] == 200
    assert "Authorization" not in target.seen[0][1]


@pytest.mark.parametrize("url", ["ftp://example.test/", "file:///etc/passwd", "unix:/run/x", "http://", "//host/x"])
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(LocationParseError):
        post(client(), url)


def test_what_keeps_a_connection_from_being_made_is_told_as_urllib3_tells_it() -> None:
    def unknown(*_arguments: object) -> list[tuple[Any, ...]]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(NameResolutionError):
        post(client(unknown), "http://no.such.host/")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(NewConnectionError):
            post(client(socket.getaddrinfo, LOOPBACK), f"http://127.0.0.1:{closed.getsockname()[1]}/")
    with pytest.raises(HTTPError):
        post(client(), f"http://{'a' * 70}.example/")
