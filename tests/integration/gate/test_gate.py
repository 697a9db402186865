"""Manifest writes through the core mount, to the real registry and the real database."""

from __future__ import annotations

import json
import socket as sockets
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from services.token.keys import rotate
from shared.names import Digest, RepositoryName, TagName
from shared.registry.transport import UnixPool
from tests import factories
from tests.clients.images import OCI_MANIFEST, Image, make_image
from tests.integration.conftest import Database
from tests.integration.gate.conftest import Expected
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens


def test_a_push_is_expected_before_it_is_passed_on(app: str, pusher: Pusher, expected: Expected) -> None:
    image = make_image("one")
    answer = pusher.push(app, "v1", image)
    assert answer.headers["docker-content-digest"] == image.digest
    assert answer.headers["location"] == f"http://registry.test/v2/{app}/manifests/{image.digest}"
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert expected.rows() == [("put", app, "v1", image.digest, "open")]
    ((actor, kind, agent, media_type, size, answered),) = expected.rows(
        "actor, actor_kind, user_agent, media_type, size, answered_at IS NOT NULL"
    )
    assert (actor, kind, agent, answered) == ("alice", "user", "pusher/1", True)
    assert (media_type, size) == (OCI_MANIFEST, len(image.manifest.content))


def test_a_deletion_is_expected_too(app: str, pusher: Pusher, expected: Expected) -> None:
    image = make_image("one")
    pusher.push(app, "v1", image)
    assert pusher.delete(app, image.digest).status == 202
    assert expected.rows()[1] == ("delete", app, image.digest, image.digest, "open")


def test_what_the_registry_refuses_is_passed_back_and_settled(app: str, pusher: Pusher, expected: Expected) -> None:
    image = make_image("one")
    answer = pusher.put_manifest(app, "v1", image.manifest)
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert expected.rows("state, settled_by") == [("refused", "gate")]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not.a.token",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
    ],
)
def test_without_a_valid_token_the_registry_gives_its_challenge(
    app: str, pusher: Pusher, expected: Expected, token: str
) -> None:
    image = make_image("one")
    answer = pusher.put_manifest(app, "v1", image.manifest, token=token)
    assert answer.status == 401
    scope = answer.headers["www-authenticate"].partition('scope="')[2].rstrip('"')
    assert scope in {f"repository:{app}:pull,push", f"repository:{app}:push,pull"}
    assert json.loads(answer.body)["errors"][0]["code"] == "UNAUTHORIZED"
    assert expected.rows() == []


def test_an_expired_token_is_no_token(app: str, pusher: Pusher, expected: Expected, tokens: Tokens) -> None:
    token = tokens.issue("alice", {app: "pull,push"}, lifetime=timedelta(seconds=-90))
    assert pusher.put_manifest(app, "v1", make_image("one").manifest, token=token).status == 401
    assert expected.rows() == []


@pytest.mark.parametrize(("repository", "actions"), [("", "pull"), ("library/other", "pull,push")])
def test_a_token_that_does_not_allow_the_push_leaves_no_trace(
    app: str,
    pusher: Pusher,
    expected: Expected,
    tokens: Tokens,
    registry: RegistryServer,
    repository: str,
    actions: str,
) -> None:
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    answer = pusher.put_manifest(app, "v1", image.manifest, token=tokens.issue("mallory", {repository or app: actions}))
    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert "push" in answer.headers["www-authenticate"]
    assert expected.rows() == []
    assert registry.client(tokens).resolve(RepositoryName(app), TagName("v1")) is None


def test_who_may_push_may_not_delete(app: str, pusher: Pusher, expected: Expected, tokens: Tokens) -> None:
    image = make_image("one")
    pusher.push(app, "v1", image)
    path = f"/v2/{app}/manifests/{image.digest}"
    token = tokens.issue("alice", {app: "pull,push"})
    assert pusher.send("DELETE", path, app, "", token=token).status == 401
    assert len(expected.rows()) == 1


def test_a_manifest_that_comes_in_chunks_is_taken_whole(
    app: str, pusher: Pusher, expected: Expected, gate: Path, tokens: Tokens
) -> None:
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    content = image.manifest.content
    request = (
        f"PUT /v2/{app}/manifests/v1 HTTP/1.1\r\nHost: registry.test\r\nContent-Type: {OCI_MANIFEST}\r\n"
        f"Authorization: Bearer {tokens.issue('alice', {app: 'pull,push'})}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (content[:100], content[100:])) + b"0\r\n\r\n"
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(gate))
        connection.sendall(request + chunks)
        assert connection.recv(12) == b"HTTP/1.1 201"
    assert expected.rows("digest") == [(image.digest,)]


@pytest.mark.parametrize(
    "path", ["/v2/app/manifests/v1", "/v2/Library/app/manifests/v1", "/v2/library/app/manifests/-x"]
)
def test_a_name_outside_the_grammar_is_refused(app: str, pusher: Pusher, expected: Expected, path: str) -> None:
    answer = pusher.send("PUT", path, app, "pull,push", body=b"{}", headers={"Content-Type": OCI_MANIFEST})
    assert answer.status == 400
    assert json.loads(answer.body)["errors"][0]["code"] == "NAME_INVALID"
    assert expected.rows() == []


def test_a_token_that_outlives_its_project_opens_nothing(
    pusher: Pusher, expected: Expected, tokens: Tokens, registry: RegistryServer
) -> None:
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob("ghost/app", blob)
    answer = pusher.put_manifest("ghost/app", "v1", image.manifest)
    assert answer.status == 404
    assert json.loads(answer.body)["errors"][0] == {
        "code": "NAME_UNKNOWN",
        "message": "the project ghost does not exist",
    }
    assert expected.rows() == []
    assert registry.client(tokens).resolve(RepositoryName("ghost/app"), TagName("v1")) is None


def test_in_read_only_mode_no_manifest_is_written_with_a_token_of_before(
    app: str, pusher: Pusher, expected: Expected, database: Database, tokens: Tokens, registry: RegistryServer
) -> None:
    image = make_image("one")
    pusher.push(app, "v1", image)
    before = expected.rows()
    with database.superuser() as rows, factories.read_only(rows):
        answers = [pusher.put_manifest(app, "v2", image.manifest), pusher.delete(app, image.digest)]
        assert pusher.get_manifest(app, "v1").status == 200
    for answer in answers:
        assert answer.status == 403
        assert json.loads(answer.body)["errors"] == [
            {"code": "DENIED", "message": "the system is in read-only mode: nothing can be changed now"}
        ]
    assert expected.rows() == before
    assert registry.client(tokens).resolve(RepositoryName(app), TagName("v2")) is None
    assert pusher.delete(app, image.digest).status == 202


def test_in_read_only_mode_a_token_that_was_narrowed_for_it_is_told_so(
    app: str, pusher: Pusher, database: Database, tokens: Tokens
) -> None:
    narrowed = tokens.issue("alice", {app: "pull"})
    with database.superuser() as rows, factories.read_only(rows):
        assert pusher.put_manifest(app, "v1", make_image("one").manifest, token=narrowed).status == 403
        assert pusher.put_manifest(app, "v1", make_image("one").manifest, token="").status == 401


def test_read_only_mode_does_not_stop_the_system_itself(
    app: str, pusher: Pusher, database: Database, tokens: Tokens
) -> None:
    image = make_image("one")
    pusher.push(app, "v1", image)
    token = tokens.issue("system:metadata", {app: "delete"})
    with database.superuser() as rows, factories.read_only(rows):
        path = f"/v2/{app}/manifests/{image.digest}"
        assert pusher.send("DELETE", path, app, "", token=token).status == 202


def test_a_forged_gate_suffix_is_taken_out(app: str, pusher: Pusher, expected: Expected) -> None:
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    forged = "evil/1 rid/x gate/00000000-0000-0000-0000-000000000000"
    headers = {"Content-Type": OCI_MANIFEST, "User-Agent": forged}
    path = f"/v2/{app}/manifests/v1"
    assert pusher.send("PUT", path, app, "pull,push", body=image.manifest.content, headers=headers).status == 201
    assert len(expected.rows()) == 1


def test_a_registry_that_restarts_is_waited_for(
    app: str, pusher: Pusher, registry: RegistryServer, expected: Expected
) -> None:
    image = make_image("one")
    pusher.push(app, "v1", image)
    registry.kill()
    again = threading.Timer(0.3, registry.start)
    again.start()
    try:
        assert pusher.put_manifest(app, "v2", image.manifest).status == 201
    finally:
        again.join()
    assert len(expected.rows()) == 2


def test_a_registry_that_is_away_is_a_503_that_says_when_to_come_back(
    app: str, pusher: Pusher, registry: RegistryServer, expected: Expected
) -> None:
    registry.kill()
    answer = pusher.put_manifest(app, "v1", make_image("one").manifest)
    registry.start()
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert json.loads(answer.body)["errors"][0]["code"] == "UNAVAILABLE"
    assert expected.rows("state, settled_by") == [("refused", "gate")]


def test_a_registry_that_hangs_takes_no_thread_of_the_api(
    app: str, pusher: Pusher, registry: RegistryServer, expected: Expected, gate: Path
) -> None:
    image = make_image("one")
    pusher.push(app, "v0", image)
    with ThreadPoolExecutor(30) as pool:
        with registry.hanging():
            pushes = [pool.submit(pusher.put_manifest, app, f"v{number}", image.manifest) for number in range(30)]
            refused = list(islice(as_completed(pushes, timeout=20), 26))
            began = time.monotonic()
            assert UnixPool(gate).ask("GET", "/api/v2.0/ping", {}, None).status == 200
            assert pusher.put_manifest(app, "late", image.manifest).status == 503
            assert time.monotonic() - began < 2
        assert {(push.result().status, push.result().headers["retry-after"]) for push in refused} == {(503, "1")}
        held = [push.result().status for push in pushes if push not in refused]
    assert held == [201] * 4
    assert pusher.put_manifest(app, "after", image.manifest).status == 201
    assert len(expected.rows()) == 1 + 4 + 1


def test_an_answer_that_is_lost_leaves_the_expectation_open(
    app: str, pusher: Pusher, registry: RegistryServer, expected: Expected
) -> None:
    """A registry that takes the request and dies."""
    registry.kill()
    registry.socket.unlink(missing_ok=True)
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(registry.socket))
        listener.listen(1)

        def take_and_die() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        taker = threading.Thread(target=take_and_die)
        taker.start()
        answer = pusher.put_manifest(app, "v1", make_image("one").manifest)
        taker.join(10)
    registry.start()
    assert answer.status == 503
    assert expected.rows("state") == [("open",)]


def test_a_database_that_is_away_refuses_pushes_and_recovers(
    app: str, pusher: Pusher, database: Database, expected: Expected, registry: RegistryServer, tokens: Tokens
) -> None:
    image = make_image("one")
    pusher.push(app, "v1", image)
    with database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,)
        )
        began = time.monotonic()
        answer = pusher.put_manifest(app, "v2", image.manifest)
        assert time.monotonic() - began < 10
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert json.loads(answer.body)["errors"][0]["code"] == "UNAVAILABLE"
        assert registry.client(tokens).resolve(RepositoryName(app), TagName("v2")) is None
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())
    assert pusher.put_manifest(app, "v2", image.manifest).status == 201
    assert len(expected.rows()) == 2


def test_two_hundred_pushes_at_once_are_two_hundred_expectations(app: str, pusher: Pusher, expected: Expected) -> None:
    def push(number: int) -> int:
        image = make_image(f"i{number}", layers=0)
        return pusher.push(f"{app}-{number % 5}", f"v{number}", image).status

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(push, range(200))) == {201}
    assert len({row[3] for row in expected.rows()}) == 200


def test_a_token_of_the_next_key_opens_the_gate_without_a_restart(
    app: str, pusher: Pusher, expected: Expected, tokens: Tokens
) -> None:
    for _ in range(3):
        rotate(tokens.home / "secrets" / "token" / "signing", tokens.bundle, datetime.now(UTC))
        pusher.push(app, "v1", make_image("one"))
    assert len(expected.rows()) == 3


def test_a_digest_that_does_not_fit_the_body_is_refused_by_the_registry(
    app: str, pusher: Pusher, expected: Expected
) -> None:
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    answer = pusher.put_manifest(app, Digest.of(b"other").text, image.manifest)
    assert (answer.status, json.loads(answer.body)["errors"][0]["code"]) == (400, "DIGEST_INVALID")
    assert expected.rows("state") == [("refused",)]


def repeat(app: str, pusher: Pusher, image: Image, request: str, tag: str = "v1") -> int:
    """A push of the manifest by a request of this id."""
    headers = {"Content-Type": image.manifest.media_type, "X-Request-Id": request}
    path = f"/v2/{app}/manifests/{tag}"
    return pusher.send("PUT", path, app, "pull,push", body=image.manifest.content, headers=headers).status


def test_a_push_that_the_proxy_sends_again_is_expected_once(
    app: str, pusher: Pusher, expected: Expected, database: Database
) -> None:
    """Whoever passed it on was killed before he noted the answer: the proxy asks the next one, by the same request."""
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    assert repeat(app, pusher, image, "once-1") == 201
    with database.superuser() as connection:
        connection.execute("UPDATE events.expected SET answered_at = NULL, state = 'settled', settled_by = 'registry'")
    assert repeat(app, pusher, image, "once-1") == 201
    assert expected.rows("request_id, state, answered_at IS NOT NULL") == [("once-1", "settled", True)]


@pytest.mark.parametrize("other", ["another request", "another tag", "answered", "refused", "long ago"])
def test_a_push_that_is_not_the_same_is_expected_by_itself(
    app: str, pusher: Pusher, expected: Expected, database: Database, other: str
) -> None:
    image = make_image("one")
    for blob in image.blobs:
        pusher.push_blob(app, blob)
    assert repeat(app, pusher, image, "once-2") == 201
    changes = {
        "answered": "answered_at = now()", "refused": "answered_at = NULL, state = 'refused'",
        "long ago": "answered_at = NULL, created_at = now() - interval '2 minutes'",
    }
    with database.superuser() as connection:
        change = changes.get(other, "answered_at = NULL")
        connection.execute(f"UPDATE events.expected SET {change}".encode())  # noqa: S608 - the test's own words
    request, tag = ("once-3" if other == "another request" else "once-2"), ("v2" if other == "another tag" else "v1")
    assert repeat(app, pusher, image, request, tag) == 201
    assert len(expected.rows()) == 2
