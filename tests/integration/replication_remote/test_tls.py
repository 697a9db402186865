"""Whom the client believes, and how it gets to a registry behind TLS by a proxy."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from shared.secrets import Secret
from tests.clients.scripted import Reply, scripted
from tests.integration.remote_rig import catalogue


@dataclass(frozen=True)
class Certificate:
    """A server's, that nobody has signed."""

    context: ssl.SSLContext
    pem: str


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()) + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Certificate(context, pem.decode())


class Proxy(socketserver.ThreadingTCPServer):
    """Leads on what CONNECT asks for, where it brings the header that is wanted."""

    def __init__(self, wanted: str) -> None:
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.wanted = wanted
        self.asked: list[str] = []


class Tunnel(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = self.request.recv(65536).decode()
        self.server.asked.append(head)
        if self.server.wanted not in head:
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = head.split()[1].partition(":")
        with socket.create_connection((host, int(port))) as far:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, self.request))
            back.start()
            pump(self.request, far)
            back.join()


def pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while piece := one.recv(65536):
            other.sendall(piece)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)


@contextmanager
def tunnels(*, wanted: str = "") -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy, and the heads of what it was asked."""
    with Proxy(wanted) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}", proxy.asked
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize("proxied", [False, True])
def test_only_a_certificate_that_is_known_is_believed(certificate: Certificate, proxied: bool) -> None:  # noqa: FBT001
    with scripted(lambda _asked: Reply.of({}), context=certificate.context) as server, tunnels() as (proxy, _):
        by = {"proxy": Secret(proxy)} if proxied else {}
        with pytest.raises(AttemptFailed, match="certificate cannot be trusted") as failed:
            catalogue(server.url, **by).check()
        assert failed.value.fault is Fault.UNREACHABLE
        assert server.asked == []
        catalogue(server.url, ca_certificate=certificate.pem, **by).check()
        catalogue(server.url, insecure=True, **by).check()
        assert set(server.lines) == {"GET /v2/"}


def test_a_certificate_of_another_name_is_not_believed(certificate: Certificate) -> None:
    with scripted(lambda _asked: Reply.of({}), context=certificate.context) as server:
        named = server.url.replace("127.0.0.1", "localhost")
        with pytest.raises(AttemptFailed, match="certificate cannot be trusted"):
            catalogue(named, ca_certificate=certificate.pem).check()
        catalogue(named, insecure=True).check()


def test_what_is_no_certificate_is_told() -> None:
    with pytest.raises(AttemptFailed, match="is not PEM"):
        catalogue("https://registry.example", ca_certificate="-----BEGIN")


def test_a_tunnel_is_kept_and_sees_neither_path_nor_token(certificate: Certificate) -> None:
    wanted = "proxy-authorization: Basic dTpjYW5hcnk="
    with (
        scripted(lambda _asked: Reply.of({}), context=certificate.context) as server,
        tunnels(wanted=wanted) as (proxy, asked),
    ):
        listing = catalogue(
            server.url, ca_certificate=certificate.pem, proxy=Secret(proxy.replace("http://", "http://u:canary@"))
        )
        for _ in range(3):
            listing.check()
        assert len(asked) == 1
        assert asked[0].startswith(f"CONNECT 127.0.0.1:{server.server_address[1]} ")
        assert not [each for each in server.asked if "proxy-authorization" in each.headers]
        with pytest.raises(AttemptFailed) as failed:
            catalogue(server.url, ca_certificate=certificate.pem, proxy=Secret(proxy)).check()
    assert "canary" not in failed.value.sentence


def test_a_token_is_not_fetched_without_tls(certificate: Certificate) -> None:
    with scripted(lambda _asked: Reply.of({"token": "t"})) as plain:
        challenge = f'Bearer realm="{plain.url}/token",service="x"'
        reply = Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge})
        with scripted(lambda _asked: reply, context=certificate.context) as server:
            for secret in (None, "canary"):
                with pytest.raises(AttemptFailed, match="without TLS") as failed:
                    catalogue(
                        server.url, ca_certificate=certificate.pem, access_key="alice", access_secret=secret
                    ).check()
                assert failed.value.fault is Fault.DENIED
    assert plain.asked == []
