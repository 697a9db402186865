"""The doctor's questions on a client's way, to a server that answers as a wrong one would."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import jwt
import pytest

from compose.local.doctor import front
from compose.local.doctor.patient import Patient
from services.token import keys
from shared.settings import TOKEN_ISSUER
from tests.integration.compose.patients import NOW, never_started, whats
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator



def patient(home: Path, port: int, *, url: str | None = None) -> Patient:
    """An instance whose proxy is a test's server."""
    return Patient(site=never_started(home, port=port, url=url), now=NOW)


@contextmanager
def serving(token: str, *, trusted: bool) -> Iterator[int]:
    """A server that hands out one token, and takes it at /v2/ or does not."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"token": token}).encode()
            self.send_response(401 if self.path == "/v2/" and not trusted else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signed(home: Path, *, off: float = 0) -> str:
    """A token of the instance in this home, made where there is none, by a clock that is off by some seconds."""
    secrets = home / "secrets"
    ring = keys.ensure(secrets / "token" / "signing", secrets / "registry" / "bundle.pem", NOW)
    claims = {"iss": TOKEN_ISSUER, "iat": int(datetime.now(UTC).timestamp() + off)}
    return jwt.encode(claims, ring.current.private, algorithm="ES256", headers={"kid": ring.current.kid})


@pytest.fixture
def own(tmp_path: Path) -> str:
    return signed(tmp_path)


@pytest.fixture
def strange(tmp_path: Path) -> str:
    return signed(tmp_path / "another")


def test_url_that_leads_here_is_well(tmp_path: Path, own: str) -> None:
    with serving(own, trusted=True) as port:
        assert whats(front.url(patient(tmp_path, port, url=f"http://127.0.0.1:{port}"))) == ""


def test_url_that_leads_to_another_instance_is_broken(tmp_path: Path, own: str, strange: str) -> None:
    assert own
    with serving(strange, trusted=True) as port:
        said = whats(front.url(patient(tmp_path, port, url=f"http://127.0.0.1:{port}")))
    assert "does not lead to this instance" in said


def test_url_that_leads_to_no_registry_is_broken(tmp_path: Path, own: str) -> None:
    assert own
    with serving("<html>", trusted=True) as port:
        said = whats(front.url(patient(tmp_path, port, url=f"http://127.0.0.1:{port}")))
    assert "does not lead to this instance" in said


def test_url_where_nothing_answers_is_broken(tmp_path: Path, own: str) -> None:
    assert own
    port = free_port()
    assert "nothing answers" in whats(front.url(patient(tmp_path, port, url=f"http://127.0.0.1:{port}")))
    assert "the proxy does not answer" in whats(front.proxy(patient(tmp_path, port)))


def test_proxy_that_waits_for_a_part_is_told_from_one_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "_LONG_SECONDS", 0.3)
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        """Answer the first question alone."""
        first, _ = listener.accept()
        with first:
            asked.append(first.recv(4096))
            first.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        second, _ = listener.accept()
        with second:
            asked.append(second.recv(4096))
            second.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        told = whats(front.proxy(patient(tmp_path, listener.getsockname()[1])))
        thread.join()
    assert told == "broken: /healthz is not answered: the proxy waits for the API or its database"
    assert [each.split()[1] for each in asked] == [b"/.answers", b"/healthz"]


def test_token_that_the_registry_takes_is_well(tmp_path: Path, own: str) -> None:
    with serving(own, trusted=True) as port:
        assert whats(front.tokens(patient(tmp_path, port))) == ""


def test_token_that_the_registry_does_not_trust_is_broken(tmp_path: Path, own: str, strange: str) -> None:
    with serving(own, trusted=False) as port:
        said = whats(front.tokens(patient(tmp_path, port)))
    assert said == "broken: the registry does not trust the tokens of this instance"
    with serving(strange, trusted=False) as port:
        said = whats(front.tokens(patient(tmp_path, port)))
    assert "its bundle does not hold their issuer" in said


@pytest.mark.parametrize(("off", "severity"), [(-7200, "broken"), (7200, "broken"), (-20, "warning")])
def test_token_service_whose_clock_is_another_is_told(tmp_path: Path, off: float, severity: str) -> None:
    with serving(signed(tmp_path, off=off), trusted=True) as port:
        (found,) = front.tokens(patient(tmp_path, port))
    assert (found.severity, found.what.split()[:3]) == (severity, ["tokens", "are", "issued"])
    assert "off this machine's time" in found.what
    assert found.remedy.startswith("set this machine's clock")
