"""Containers that are told to stop end what they have begun, by themselves, before the engine's patience is over.

The registry, which ends with its parent, is told of in test_operated.py where it collects.
"""

from __future__ import annotations

import base64
import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest
import requests

from tests.clients.docker import BRIDGE
from tests.clients.images import make_image
from tests.clients.polling import eventually, settled
from tests.clients.receiver import Reply, delivery_ids, receiving
from tests.clients.registry import RegistryClient
from tests.clients.stream import Stream
from tests.containers.stack import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

BACK_SECONDS: Final = 30
IMAGES: Final = 6
ANSWER_SECONDS: Final = 2.0
"""How long a target of webhooks takes: longer than a part takes that has nothing to wait for."""
AFTER_THE_STOP: Final = 1.0
"""By then a part that is told to stop has been told."""


class Slow:
    """A request of which a half is sent, and the rest later."""

    def __init__(
        self, address: str | tuple[str, int], method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """`address` is a unix socket's path, or a host and a port."""
        self._socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self._socket.settimeout(BACK_SECONDS)
        self._socket.connect(address)
        told = {"Host": "registry.example.com", "Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        begun, self._rest = body[: len(body) // 2], body[len(body) // 2 :]
        self._socket.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + begun)

    def finish(self) -> tuple[int, bytes]:
        """Send the rest. Returns status and body of the answer."""
        with closing(self._socket):
            self._socket.sendall(self._rest)
            with closing(HTTPResponse(self._socket)) as answer:
                answer.begin()
                return answer.status, answer.read()


def basic(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'admin:{password}'.encode()).decode()}"}


def at(stack: Stack, name: str) -> str:
    """A part's socket as this machine sees it."""
    return str(Path(stack.engine.root, "volumes", f"{PROJECT}_run", "_data", f"{name}.sock"))


@contextmanager
def being_stopped(stack: Stack, part: str) -> Iterator[None]:
    """The container is told to stop, and started again behind: what it had begun is awaited meanwhile."""
    container = str(stack.container(part).told["Id"])
    with ThreadPoolExecutor(1) as thread:
        stopped = thread.submit(stack.docker.run, "stop", container)
        try:
            with pytest.raises(TimeoutError):
                stopped.result(timeout=AFTER_THE_STOP)
            yield
        finally:
            assert stopped.result().ok
            state = stack.container(part).told["State"]
            assert stack.docker.run("start", container).ok
    # it has ended by itself: killed, it would tell 137
    assert state["ExitCode"] == 0


def is_push_of(repository: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["type"] == "breakwater.artifact.pushed.v1" and event["data"]["repository"] == repository


def awaited(stack: Stack, password: str, repository: str, digest: str) -> bool:
    """Once login and registry are there again: whether this blob is."""

    def answer() -> int | None:
        # connections from before are gone
        with closing(RegistryClient(stack.url, "admin", password)) as registry:
            try:
                status = int(registry.get_blob(repository, digest).status_code)
            except (requests.RequestException, AssertionError):
                return None
        return status if status < requests.codes.server_error else None

    status = eventually(answer, within=BACK_SECONDS, what="it answers again", every=0.2)
    return bool(status == requests.codes.ok)


@pytest.mark.parametrize("part", ["proxy", "registry"])
def test_an_upload_is_ended(stack: Stack, password: str, part: str) -> None:
    blob, scope = make_image(f"stopped {part}", layer_size=100_000).layers[0], "repository:library/stopped:pull,push"
    with closing(stack.registry(password)) as registry:
        begun = registry.send("POST", "/v2/library/stopped/blobs/uploads/", scope, data=b"")
        location, token = begun.headers["Location"].removeprefix(stack.url), registry.token(scope)
    target = f"{location}{'&' if '?' in location else '?'}digest={blob.digest}"
    host, _, port = stack.host.partition(":")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    slow = Slow((host, int(port)) if part == "proxy" else at(stack, part), "PUT", target, headers, blob.content)
    with being_stopped(stack, part):
        status, said = slow.finish()
        assert status == requests.codes.created, said
    assert awaited(stack, password, "library/stopped", blob.digest)


def test_the_core_ends_a_change(stack: Stack, admin: RestClient, password: str) -> None:
    body = json.dumps({"project_name": "made-at-the-stop", "metadata": {"public": "false"}}).encode()
    headers = {**basic(password), "Content-Type": "application/json"}
    slow = Slow(at(stack, "core"), "POST", "/api/v2.0/projects", headers, body)
    with being_stopped(stack, "core"):
        status, said = slow.finish()
        assert status == requests.codes.created, said
    eventually(
        lambda: admin.send("HEAD", "/projects", params={"project_name": "made-at-the-stop"}).ok, within=BACK_SECONDS,
        what="it answers again", every=0.2,
    )


def test_the_token_mount_ends_a_login(stack: Stack, password: str) -> None:
    form = {
        "grant_type": "password", "service": stack.registry(password).challenge()["service"], "client_id": "tests",
        "username": "admin", "password": password, "scope": "repository:library/stopped:pull",
    }  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    slow = Slow(at(stack, "token"), "POST", "/service/token", headers, urlencode(form).encode())
    with being_stopped(stack, "token"):
        status, said = slow.finish()
        assert status == requests.codes.ok, said
        assert json.loads(said)["access_token"]
    assert not awaited(stack, password, "library/stopped", make_image("never pushed").layers[0].digest)


def test_a_stream_is_told_that_it_ends_and_goes_on_at_the_next_one(
    stack: Stack, password: str
) -> None:
    registry, container = stack.registry(password), str(stack.container("events").told["Id"])
    with Stream(stack.url, ("admin", password)) as stream:
        assert registry.push("library/seen", "v1", make_image("seen")).ok
        stream.wait_for(is_push_of("library/seen"), within=BACK_SECONDS, what="the push is told")
        try:
            assert stack.docker.run("stop", container).ok
            assert stack.container("events").told["State"]["ExitCode"] == 0
            assert stream.ended.wait(BACK_SECONDS)
            assert stream.names[-1] == "end"
            assert registry.push("library/unseen", "v1", make_image("unseen")).ok
        finally:
            assert stack.docker.run("start", container).ok
    last = [each for each in stream.ids if each][-1]

    def follows() -> Stream | None:
        again = Stream(stack.url, ("admin", password), last_event_id=last)
        if again.status == requests.codes.ok:
            return again
        again.close()
        return None

    with eventually(follows, within=BACK_SECONDS, what="a stream is there again", every=0.2) as again:
        again.wait_for(is_push_of("library/unseen"), within=BACK_SECONDS, what="what came meanwhile is told")
        assert not [each for each in again.events if is_push_of("library/seen")(each)]


def test_deliveries_under_way_arrive_once(stack: Stack, admin: RestClient, password: str) -> None:
    number = admin.create_project("delivered")
    with receiving(lambda _received: Reply(seconds=ANSWER_SECONDS), host=BRIDGE.partition("/")[0]) as receiver:
        policy = {
            "name": "slow", "enabled": True, "event_types": ["PUSH_ARTIFACT"],
            "targets": [{"type": "http", "address": receiver.url, "payload_format": "Default"}],
        }
        admin.must("POST", f"/projects/{number}/webhook/policies", json=policy)
        assert stack.registry(password).push("delivered/app", "v1", make_image("delivered")).ok
        eventually(lambda: receiver.received, within=BACK_SECONDS, what="a delivery is under way", every=0.02)
        with being_stopped(stack, "webhook"):
            pass
        assert stack.registry(password).push("delivered/app", "v2", make_image("delivered later")).ok
        eventually(lambda: len(receiver.received) > 1, within=BACK_SECONDS, what="the next one arrives", every=0.2)
        assert len({*delivery_ids(receiver)}) == len(receiver.received)


@pytest.mark.parametrize("part", ["intake", "relay", "audit", "metadata"])
def test_events_under_way_count_once(stack: Stack, admin: RestClient, password: str, part: str) -> None:
    project, container = f"stopped-{part}", str(stack.container(part).told["Id"])
    admin.create_project(project)
    images = {f"v{number}": make_image(f"{part}/{number}") for number in range(IMAGES)}

    def push(tag: str) -> bool:
        registry = RegistryClient(stack.url, "admin", password)
        with closing(registry):
            return registry.push(f"{project}/app", tag, images[tag]).ok

    with ThreadPoolExecutor(2) as clients:
        pushed = clients.map(push, images)
        try:
            assert stack.docker.run("stop", container).ok
            state = stack.container(part).told["State"]
        finally:
            assert stack.docker.run("start", container).ok
        assert all(pushed)
    assert state["ExitCode"] == 0

    def recorded() -> Counter[str]:
        rows = (row for row in admin.audit(project) if row["resource_type"] == "artifact")
        return Counter(row["resource"].rpartition(":")[2] for row in rows if row["operation"] == "create")

    once = Counter(dict.fromkeys(images, 1))
    settled(recorded, once, within=BACK_SECONDS, what="every push is on record once", every=0.5)
    settled(
        lambda: {artifact["digest"] for artifact in admin.artifacts(f"{project}/app")},
        {image.digest for image in images.values()}, within=BACK_SECONDS, what="all are catalogued", every=0.5,
    )
