"""Deliveries from the event to the target: sent once and in the right form, tried again, and never lost."""

from __future__ import annotations

import hmac
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled
from shared.events.definitions.project import ProjectDeleted
from shared.events.definitions.quota import QuotaExceeded
from shared.events.definitions.retention import RetentionFinished
from tests.clients.receiver import Received, Receiver, Reply, by_path, delivery_ids, paths, receiving
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.webhook.hooks import Hooks, hooks_of, http, push, slack
from tests.servers import Postgres, free_port

SECRET = "the secret of a target"


@pytest.fixture(scope="module")
def hooks(
    postgres_server: Postgres, migrated_template: str, session_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hooks]:
    """A part that all tests share which do it no harm."""
    session_broker.purge()
    database = Database(postgres_server, postgres_server.new_database(migrated_template))
    with hooks_of(database, session_broker, tmp_path_factory.mktemp("hooks")) as hooks, hooks.delivering() as process:
        process.has_logged("consuming")
        hooks.process = process
        yield hooks
    postgres_server.drop_database(database.name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def test_a_push_arrives_signed_and_in_harbors_form(hooks: Hooks, receiver: Receiver) -> None:
    project = hooks.project(public=True)
    policy = hooks.policy(project, http(f"{receiver.url}/in?team=a", auth="Bearer canary", secret=SECRET))
    hooks.publish(push(project))
    hooks.settled(policy, "success")
    [got] = receiver.received
    assert got.path == "/in?team=a"
    assert got.headers["Authorization"] == "Bearer canary"
    assert (got.headers["Content-Type"], got.headers["X-Breakwater-Event"]) == ("application/json", "PUSH_ARTIFACT")
    timestamp, mac = (part.partition("=")[2] for part in got.headers["X-Breakwater-Signature"].split(","))
    signed = f"{timestamp}.{got.headers['X-Breakwater-Delivery']}.".encode() + got.body
    assert hmac.compare_digest(mac, hmac.new(SECRET.encode(), signed, sha256).hexdigest())
    assert abs(int(timestamp) - datetime.now(UTC).timestamp()) < 60
    sent = json.loads(got.body)
    assert (sent["type"], sent["operator"]) == ("PUSH_ARTIFACT", "alice")
    assert sent["event_data"]["resources"][0]["resource_url"] == f"registry.example.test/{project[1]}/app:v1"
    assert sent["event_data"]["repository"]["repo_type"] == "public"
    assert hooks.attempts(policy) == [(1, True, "the target answered 200")]


def test_each_target_gets_its_own_form(hooks: Hooks, receiver: Receiver) -> None:
    project = hooks.project()
    with hooks.database.superuser() as connection:
        connection.execute(
            "INSERT INTO core.repositories (project_id, name, created_at) VALUES (%s, %s, '2026-01-01T00:00:00Z')",
            (project[0], f"{project[1]}/app"),
        )
    policy = hooks.policy(
        project, http(f"{receiver.url}/cloud", form="CloudEvents"), slack(f"{receiver.url}/slack"),
        events=("PULL_ARTIFACT",),
    )  # fmt: skip
    pull = ArtifactPulled(project=project[1], repository=f"{project[1]}/app", digest="sha256:1", tag="v1")
    [event_id] = hooks.publish(pull)
    hooks.settled(policy, "success", "success")
    got = {each.path: json.loads(each.body) for each in receiver.received}
    assert got["/cloud"]["id"] == str(event_id)
    assert got["/cloud"]["source"] == f"/projects/{project[0]}/webhook/policies/{policy}"
    assert (got["/cloud"]["type"], got["/cloud"]["requestid"]) == ("harbor.artifact.pulled", "r-1")
    assert got["/cloud"]["data"]["repository"]["date_created"] == 1767225600
    assert "PULL_ARTIFACT" in got["/slack"]["blocks"][1]["text"]["text"]
    assert len(set(delivery_ids(receiver))) == 2


def test_a_refused_push_is_told_of(hooks: Hooks, receiver: Receiver) -> None:
    project = hooks.project()
    policy = hooks.policy(project, receiver.url, events=("QUOTA_EXCEED",))
    hooks.publish(
        QuotaExceeded(
            project=project[1], project_id=project[0], repository=f"{project[1]}/app", limit=1, used=1, detail="no room"
        )
    )
    hooks.settled(policy, "success")
    told = json.loads(receiver.received[0].body)["event_data"]
    assert told["custom_attributes"] == {"Details": "no room"}
    assert "resources" not in told


def test_a_run_of_retention_is_told_of_and_a_dry_one_is_not(hooks: Hooks, receiver: Receiver) -> None:
    number, name = project = hooks.project()
    policy = hooks.policy(project, receiver.url, events=("TAG_RETENTION",))
    dry, done = (
        RetentionFinished(
            project=name, project_id=number, policy_id=1, execution_id=execution, trigger="MANUAL",
            dry_run=execution == 1, status="Success", rules=(), total=2, retained=1, deleted=1,
            deleted_artifacts=("app:old",),
        )
        for execution in (1, 2)
    )  # fmt: skip
    hooks.publish(dry, done)
    hooks.settled(policy, "success")
    [told] = [json.loads(each.body)["event_data"]["retention"] for each in receiver.received]
    assert (told["project_name"], told["deleted_artifact"][0]["name_tag"]) == (name, "app:old")


def test_an_event_that_comes_again_is_not_delivered_again(hooks: Hooks, receiver: Receiver) -> None:
    project = hooks.project()
    policy = hooks.policy(project, receiver.url)
    event_id = uuid4()
    for _ in range(3):
        hooks.publish(*[push(project)] * 20, ids=[event_id] * 20)
    hooks.publish(push(project, "last"))
    hooks.settled(policy, "success", "success")
    assert len(receiver.received) == 2


def test_only_what_a_policy_is_about_is_told(hooks: Hooks, receiver: Receiver) -> None:
    project, other = hooks.project(), hooks.project()
    policy = hooks.policy(project, f"{receiver.url}/wanted", events=("DELETE_ARTIFACT", "SCANNING_FAILED"))
    hooks.policy(project, f"{receiver.url}/disabled", events=("DELETE_ARTIFACT",), enabled=False)
    delete, elsewhere = (
        ArtifactDeleted(project=name, project_id=number, repository=f"{name}/app", digest="sha256:1")
        for number, name in (project, other)
    )
    hooks.publish(push(project), elsewhere, delete)
    hooks.settled(policy, "success")
    assert paths(receiver) == ["/wanted"]


def test_a_project_of_an_older_generation_triggers_nothing(hooks: Hooks, receiver: Receiver) -> None:
    """A late event of a deleted project, whose name belongs to another one now."""
    project = hooks.project()
    policy = hooks.policy(project, receiver.url)
    hooks.publish(push(project, "old", project_id=999_999), push(project, "new"))
    hooks.settled(policy, "success")
    assert b'"tag":"new"' in receiver.received[0].body


def test_what_fails_is_tried_again_as_the_same_delivery(hooks: Hooks) -> None:
    answers = iter([Reply(status=503), Reply(status=404), Reply(status=204, body=b"")])
    with receiving(lambda _received: next(answers)) as receiver:
        project = hooks.project()
        policy = hooks.policy(project, http(receiver.url, secret=SECRET))
        hooks.publish(push(project))
        for number in (1, 2):
            eventually(lambda: len(hooks.attempts(policy)), number)
            assert hooks.states(policy) == ["pending"]
            [(pause,)] = hooks.rows("SELECT due_at - now() FROM webhook.deliveries WHERE policy_id = %s", policy)
            assert pause > timedelta(seconds=3)
            hooks.become_due(policy)
        hooks.settled(policy, "success")
        assert hooks.attempts(policy) == [
            (1, False, "the target answered 503"),
            (2, False, "the target answered 404"),
            (3, True, "the target answered 204"),
        ]
        assert len(set(delivery_ids(receiver))) == 1
        assert len({each.body for each in receiver.received}) == 1


def test_a_redirect_is_not_followed(hooks: Hooks) -> None:
    with receiving() as inside, receiving(lambda _: Reply(status=302, headers={"Location": f"{inside.url}/x"})) as out:
        project = hooks.project()
        policy = hooks.policy(project, out.url)
        hooks.publish(push(project))
        eventually(lambda: len(hooks.attempts(policy)), 1)
        assert hooks.attempts(policy)[0][2] == "the target answered 302: redirects are not followed"
        assert inside.received == []


def test_a_dead_target_holds_nobody_else_up_and_is_left_alone(hooks: Hooks) -> None:
    with receiving(by_path({"slow": Reply(status=500, seconds=3)})) as receiver:
        project = hooks.project()
        slow = hooks.policy(project, f"{receiver.url}/slow")
        dead = hooks.policy(project, f"http://127.0.0.1:{free_port()}/")
        hooks.publish(*[push(project, f"v{number}") for number in range(30)])
        eventually(lambda: len(hooks.states(dead)), 30)
        other = hooks.project()
        quick = hooks.policy(other, f"{receiver.url}/quick")
        begun = datetime.now(UTC)
        hooks.publish(*[push(other, f"v{number}") for number in range(30)])
        hooks.settled(quick, *["success"] * 30)
        assert datetime.now(UTC) - begun < timedelta(seconds=10)
        assert 0 < sum(path == "/slow" for path in paths(receiver)) < 12
        eventually(lambda: len(hooks.attempts(dead)), 5)
        health = "SELECT failures, open_until > now() FROM webhook.targets WHERE policy_id = %s"
        assert hooks.rows(health, dead) == [(5, True)]
        assert hooks.states(slow) == ["pending"] * 30


def test_two_hundred_silent_targets_hold_nobody_up_who_was_quick(hooks: Hooks) -> None:
    with receiving(lambda received: Reply(seconds=4 if "silent" in received.path else 0)) as receiver:
        theirs, project = hooks.project(), hooks.project()
        policy = hooks.policy(project, f"{receiver.url}/quick")
        hooks.publish(push(project, "before"))
        hooks.settled(policy, "success")
        silent = [hooks.policy(theirs, *[f"{receiver.url}/silent{number}" for number in range(10)]) for _ in range(20)]
        hooks.publish(push(theirs))
        eventually(lambda: sum(path.startswith("/silent") for path in paths(receiver)) >= 4, True)
        begun = datetime.now(UTC)
        hooks.publish(push(project, "after"))
        hooks.settled(policy, "success", "success")
        assert datetime.now(UTC) - begun < timedelta(seconds=3)
        assert sum(path.startswith("/silent") for path in paths(receiver)) < 200
        hooks.do("UPDATE webhook.policies SET enabled = false WHERE id = ANY(%s)", silent)


def test_a_target_that_is_back_gets_all_that_it_missed(hooks: Hooks) -> None:
    away = [True]
    with receiving(lambda _received: Reply(status=500 if away[0] else 200)) as receiver:
        project = hooks.project()
        policy = hooks.policy(project, receiver.url)
        hooks.publish(*[push(project, f"v{number}") for number in range(12)])
        eventually(lambda: len(hooks.attempts(policy)), 5)
        away[0] = False
        hooks.do("UPDATE webhook.targets SET open_until = now() WHERE policy_id = %s", policy)
        hooks.settled(policy, *["success"] * 12)
        assert len(set(delivery_ids(receiver))) == 12


def certificate(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_certificate_is_checked_unless_the_policy_says_otherwise(hooks: Hooks, tmp_path: Path) -> None:
    with receiving(context=certificate(tmp_path)) as receiver:
        project = hooks.project()
        strict = hooks.policy(project, f"{receiver.url}/strict")
        lax = hooks.policy(project, http(f"{receiver.url}/lax", trusting=True))
        hooks.publish(push(project))
        hooks.settled(lax, "success")
        eventually(lambda: len(hooks.attempts(strict)), 1)
        assert "certificate cannot be trusted" in hooks.attempts(strict)[0][2]
        assert paths(receiver) == ["/lax"]


def test_what_a_target_echoes_is_kept_short_and_without_the_secrets(hooks: Hooks) -> None:
    def echo(received: Received) -> Reply:
        told = received.headers["Authorization"]
        return Reply(
            headers={"X-Echo": told, "X-Part": told.partition(" ")[2]},
            body=f"<script>{told}</script>\x00\x1b[31m{SECRET} ".encode() + b"\xff" * 100_000,
        )

    with receiving(echo) as receiver:
        project = hooks.project()
        policy = hooks.policy(project, http(receiver.url, auth="Bearer canary-auth", secret=SECRET))
        hooks.publish(push(project))
        hooks.settled(policy, "success")
    kept = """
        SELECT a.request, a.response FROM webhook.attempts a JOIN webhook.deliveries d ON d.id = a.delivery_id
        WHERE d.policy_id = %s
    """
    [(request, response)] = hooks.rows(kept, policy)
    assert "Authorization: ***" in request
    assert "X-Breakwater-Signature: t=" in request
    assert "X-Echo: ***" in response
    assert "<script>***</script>" in response
    assert "canary" not in request + response
    assert SECRET not in request + response
    assert len(response) < 10_000
    assert response.isprintable() or set("\n") >= {char for char in response if not char.isprintable()}
    assert hooks.process
    assert "canary" not in hooks.process.log.read_text()
    everything = hooks.rows("SELECT row_to_json(t)::text, (SELECT json_agg(d)::text FROM webhook.deliveries d) "
                            "FROM webhook.targets t")  # fmt: skip
    assert "canary" not in str(everything)


@pytest.mark.long
def test_a_target_that_drips_is_cut_off(hooks: Hooks) -> None:
    with receiving(lambda _received: Reply(drip=True)) as receiver:
        project = hooks.project()
        policy = hooks.policy(project, receiver.url)
        hooks.publish(push(project))
        eventually(lambda: len(hooks.attempts(policy)), 1, seconds=60)
        assert hooks.attempts(policy)[0][2] == "the target did not finish within 20 s"


def test_a_deleted_project_is_forgotten(hooks: Hooks, receiver: Receiver) -> None:
    project, other = hooks.project(), hooks.project()
    policy, kept = hooks.policy(project, f"http://127.0.0.1:{free_port()}/"), hooks.policy(other, receiver.url)
    hooks.publish(push(project), push(other))
    eventually(lambda: len(hooks.attempts(policy)), 1)
    hooks.publish(ProjectDeleted(project=project[1], project_id=project[0]))
    eventually(lambda: hooks.rows("SELECT count(*) FROM webhook.policies WHERE id = %s", policy), [(0,)])
    assert hooks.states(policy) == []
    hooks.settled(kept, "success")
