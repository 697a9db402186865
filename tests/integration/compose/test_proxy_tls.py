"""What the proxy does where it has a certificate."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

from compose.conf import views
from compose.local.certificate import make_certificate
from tests.integration.compose.conftest import nginx_version, running_proxy
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.compose.conftest import Proxy


@pytest.fixture
def certificate() -> Iterator[views.Certificate]:
    with short_folder() as folder:
        lay(folder, "127.0.0.1")
        yield views.Certificate(file=folder / "tls.pem", nginx_version=nginx_version())


def lay(folder: Path, *names: str) -> None:
    """A certificate for these names with its key, where the proxy reads it; the authority stays the same."""
    chain, key = make_certificate(folder, names, datetime.now(UTC))
    folder.joinpath("tls.new").write_bytes(chain.read_bytes() + key.read_bytes())
    # the workers of an nginx that root starts are nobody
    folder.joinpath("tls.new").chmod(0o644)
    folder.joinpath("tls.new").replace(folder / "tls.pem")


@contextmanager
def connected(proxy: Proxy, certificate: views.Certificate) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=str(certificate.file.with_name("authority.crt")))
    plain = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
        yield connection


def shown(connection: ssl.SSLSocket) -> list[str]:
    certificate = connection.getpeercert()
    assert certificate
    return [value for _, value in certificate["subjectAltName"]]


def test_tls_serves_http_2_and_asks_to_stay(certificate: views.Certificate) -> None:
    with running_proxy(tls=certificate) as proxy:
        context = ssl.create_default_context(cafile=str(certificate.file.with_name("authority.crt")))
        url = f"https://127.0.0.1:{proxy.port}/api/v2.0/ping"
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            assert answer.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
            assert json.load(answer)["headers"]["x-forwarded-proto"] == "https"
        with pytest.raises(HTTPError) as own:
            urllib.request.urlopen(f"https://127.0.0.1:{proxy.port}/internal/x", context=context, timeout=5)
        with own.value:
            assert own.value.headers.get_all("Strict-Transport-Security") == ["max-age=31536000"]
        context.set_alpn_protocols(["h2", "http/1.1"])
        with ssl.create_connection(("127.0.0.1", proxy.port)) as plain, context.wrap_socket(
            plain, server_hostname="127.0.0.1"
        ) as connection:
            assert connection.selected_alpn_protocol() == "h2"
        status, headers, body = proxy.get("/api/v2.0/ping")
    # it is for nobody who comes without TLS (RFC 6797, 7.2)
    assert (status, headers.get("strict-transport-security")) == (400, None)
    assert json.loads(body)["errors"][0]["message"] == "this port speaks HTTPS, not HTTP"


@pytest.mark.parametrize(("public_url", "told"), [("https://registry.test", "max-age=31536000"), (None, None)])
def test_tls_before_the_proxy_is_asked_to_stay_too(public_url: str | None, told: str | None) -> None:
    with running_proxy(public_url=public_url) as proxy:
        headers = [proxy.get(path)[1] for path in ("/ping", "/v2/", "/internal/x")]
    assert [each.get("strict-transport-security") for each in headers] == [told] * 3


def test_new_certificate_is_in_force_at_once_and_what_is_open_goes_on(certificate: views.Certificate) -> None:
    request = b"GET /api/v2.0/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with running_proxy(tls=certificate) as proxy, connected(proxy, certificate) as first:
        assert shown(first) == ["127.0.0.1"]
        first.sendall(request)
        assert first.recv(65536).startswith(b"HTTP/1.1 200 ")
        lay(certificate.file.parent, "127.0.0.1", "registry.test")
        with connected(proxy, certificate) as second:
            assert shown(second) == ["127.0.0.1", "registry.test"]
        first.sendall(request)
        assert first.recv(65536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 308), ("HEAD", "/projects?page=2", 308), ("GET", "/apis", 308), ("POST", "/", 400),
        ("GET", "/metrics", 400), ("GET", "/metrics?comp=parts", 400),
        ("GET", "/v2/", 400), ("GET", "/v2", 400), ("GET", "/api/v2.0/projects", 400), ("GET", "/auth/token?a=b", 400),
        ("GET", "/service/token", 400),
    ],
)
def test_without_tls_a_page_is_found_and_a_script_is_refused(
    certificate: views.Certificate, method: str, path: str, status: int
) -> None:
    with running_proxy(tls=certificate) as proxy:
        got, headers, _ = proxy.get(path, method=method)
    assert got == status
    assert headers.get("location") == (f"https://registry.test:8080{path}" if status == 308 else None)


@pytest.mark.parametrize(
    ("port", "public_url", "target"),
    [
        (443, None, "https://registry.test"),
        (8443, None, "https://registry.test:8443"),
        (8443, "https://images.example.com", "https://images.example.com"),
    ],
)
def test_the_second_port_leads_pages_to_tls_and_serves_nothing(
    certificate: views.Certificate, port: int, public_url: str | None, target: str
) -> None:
    second = free_port()
    redirect = views.Redirect(listen=f"127.0.0.1:{second}", port=port)
    with running_proxy(tls=certificate, redirect=redirect, public_url=public_url) as proxy:
        plain = replace(proxy, port=second)
        status, headers, _ = plain.get("/projects?page=2")
        assert (status, headers["location"]) == (308, f"{target}/projects?page=2")
        for method, path in (("GET", "/v2/"), ("GET", "/metrics"), ("GET", "/auth/token"), ("POST", "/")):
            status, headers, body = plain.get(path, method=method)
            assert (status, headers.get("location")) == (400, None), path
            assert json.loads(body)["errors"][0]["message"] == "this port speaks HTTPS, not HTTP"
        assert not [request for upstream in proxy.upstreams.values() for request in upstream.requests]
