"""Another registry is asked whether it answers and takes the credential: one that does, and several that do not."""

from __future__ import annotations

import socket
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.integration.core.people import ADMIN, Api, code, sentence
from tests.integration.core.rows import registry_of
from tests.slapd import LOOPBACK

PING = "/registries/ping"
RIGHT = "Basic " + b64encode(b"robot:right").decode()


class _Registry(BaseHTTPRequestHandler):
    """Takes one credential."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_right = self.headers.get("Authorization") == RIGHT
        self.send_response(200 if is_right else 401)
        self.send_header("Content-Length", "2")
        if not is_right:
            self.send_header("WWW-Authenticate", 'Basic realm="elsewhere"')
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_given: Any) -> None:  # noqa: ANN401 - as it is called
        pass


@pytest.fixture(scope="module")
def outbound_allow() -> str:
    return LOOPBACK


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Registry) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def closed() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def asked(url: str, secret: str, **more: object) -> dict[str, Any]:
    return {"type": "docker-registry", "url": url, "access_key": "robot", "access_secret": secret} | more


def test_a_registry_that_answers_is_well(api: Api, url: str) -> None:
    answer = api.send("POST", PING, ADMIN, asked(url, "right"))
    assert (answer.status_code, answer.text) == (200, "")


def test_a_registry_that_takes_no_such_credential_or_does_not_answer_is_not(api: Api, url: str) -> None:
    for wrong in (asked(url, "wrong"), asked(url, ""), asked(closed(), "right")):
        answer = api.send("POST", PING, ADMIN, wrong)
        assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
        assert "unhealthy" in sentence(answer)
        assert "right" not in answer.text


def test_a_stored_registry_is_asked_with_what_is_stored_and_what_is_named(api: Api, url: str) -> None:
    credential = {"access_key": "robot", "access_secret": "right"}
    number = registry_of(api, type="docker-registry", url=url, credential=credential)
    assert api.send("POST", PING, ADMIN, {"id": number}).status_code == 200
    assert api.send("POST", PING, ADMIN, {"id": number, "access_secret": "*****"}).status_code == 200
    assert api.send("POST", PING, ADMIN, {"id": number, "access_secret": "wrong"}).status_code == 400
    assert api.send("POST", PING, ADMIN, {"id": number, "access_key": "somebody"}).status_code == 400
    assert api.get(f"/registries/{number}").json["status"] == "unknown"


@pytest.mark.parametrize("wrong", [{}, {"type": "docker-registry"}, {"url": "https://elsewhere.example.test"}], ids=str)
def test_what_is_not_stored_has_to_be_told_whole(api: Api, wrong: dict[str, str]) -> None:
    answer = api.send("POST", PING, ADMIN, wrong)
    assert (answer.status_code, code(answer)) == (400, "BAD_REQUEST")
