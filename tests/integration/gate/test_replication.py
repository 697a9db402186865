"""This registry as an end of a transfer: its own socket for blobs, the gate for what changes a manifest."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

import pytest
from msgspec.structs import replace

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.local import local_end
from services.replication.remote.client import RegistryEnd
from shared.names import Digest, TagName
from shared.settings import Settings
from tests.clients.images import Blob, make_image, make_index, make_referrer
from tests.integration.conftest import Database
from tests.integration.gate.conftest import Expected
from tests.integration.registry_rig import RegistryServer, Tokens
from tests.integration.remote_rig import content, mounted, push, put, whole


@pytest.fixture
def settings(database: Database, registry: RegistryServer, tokens: Tokens, gate: Path) -> Settings:
    return database.settings(
        "replication", registry_socket=registry.socket, token_socket=tokens.socket, core_socket=gate
    )


@pytest.fixture
def end(settings: Settings) -> RegistryEnd:
    return local_end(settings)


def test_what_comes_in_is_expected_by_the_gate_and_stored(end: RegistryEnd, expected: Expected, app: str) -> None:
    index = make_index(app)
    push(end, app, "v1", index)
    assert end.resolve(app, TagName("v1")) == Digest(index.digest)
    assert end.manifest(app, TagName("v1")) == content(index.manifest)
    assert end.tags(app) == ["v1"]
    blob = index.images[0].layers[0]
    assert whole(end, app, blob.digest, 10) == blob.content[10:]
    assert ("put", app, "v1", index.digest) in [row[:4] for row in expected.rows()]


def test_blobs_are_mounted(end: RegistryEnd, app: str) -> None:
    blob = make_image(app).layers[0]
    put(end, app, blob)
    assert mounted(end, f"{app}-2", blob, app)
    assert end.has_blob(f"{app}-2", Digest(blob.digest))


def test_referrers_are_those_of_the_catalogue(end: RegistryEnd, app: str) -> None:
    image = make_image(app)
    push(end, app, "v1", image)
    signature = make_referrer(image.manifest)
    push(end, app, signature.digest, signature)
    assert [each.digest.text for each in end.referrers(app, Digest(image.digest))] == [signature.digest]
    assert list(end.referrers(app, Digest.of(b"nothing"))) == []


def test_a_tag_is_taken_off_alone(end: RegistryEnd, app: str) -> None:
    image = make_image(app)
    push(end, app, "v1", image)
    push(end, app, "v2", image)
    end.delete_tag(app, TagName("v1"))
    end.delete_tag(app, TagName("v1"))
    assert end.tags(app) == ["v2"]
    end.delete_manifest(app, Digest(image.digest))
    assert end.resolve(app, TagName("v2")) is None


def test_what_has_no_project_is_refused_by_the_gate(end: RegistryEnd) -> None:
    with pytest.raises(AttemptFailed) as failed:
        push(end, "nowhere/app", "v1", make_image("x"))
    assert failed.value.fault in {Fault.NOT_FOUND, Fault.REFUSED}
    with pytest.raises(AttemptFailed) as failed:
        end.put_manifest("single", TagName("v1"), content(make_image("x").manifest))
    assert failed.value.fault is Fault.REFUSED


def test_a_quota_holds_for_what_comes_in(end: RegistryEnd, database: Database) -> None:
    name, image = f"small-{token_hex(4)}", make_image("x")
    with database.superuser() as connection:
        connection.execute("INSERT INTO core.projects (name, owner_id, storage_limit) VALUES (%s, 1, 10)", (name,))
    with pytest.raises(AttemptFailed, match="will exceed the configured upper limit") as failed:
        push(end, f"{name}/app", "v1", image)
    assert failed.value.fault is Fault.REFUSED
    assert end.resolve(f"{name}/app", TagName("v1")) is None


@pytest.mark.parametrize(("flag", "why"), [("readonly", "nearly full"), ("collecting", "garbage is being collected")])
def test_nothing_is_stored_while_pushes_are_refused(
    end: RegistryEnd, settings: Settings, app: str, flag: str, why: str
) -> None:
    image = make_image(app)
    push(end, app, "v1", image)
    (settings.run / flag).touch()
    try:
        for write in (lambda: put(end, app, Blob.of(b"x", "x")), lambda: push(end, app, "v2", image)):
            with pytest.raises(AttemptFailed, match=why) as failed:
                write()
            assert failed.value.fault is Fault.OVERLOADED
        assert end.tags(app) == ["v1"]
    finally:
        (settings.run / flag).unlink()


def test_without_the_token_mount_there_is_no_token(settings: Settings, app: str) -> None:
    lost = replace(settings, token_socket=settings.run / "nobody.sock")
    with pytest.raises(AttemptFailed) as failed:
        local_end(lost).tags(app)
    assert failed.value.fault is Fault.UNREACHABLE
