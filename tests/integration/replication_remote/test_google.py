"""Google Artifact Registry. Exchanges: Google Cloud, "Configure authentication to Artifact Registry for Docker"
(https://cloud.google.com/artifact-registry/docs/docker/authentication: `_json_key`), "Support for the Docker Registry
API" (…/docs/reference/docker-api); the list of tags with its "manifest", all in one answer, as go-containerregistry's
pkg/v1/google asks for and reads it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote import connect
from shared.names import Digest
from shared.secrets import Secret
from tests.clients.scripted import Replay, Reply, Scripted, replaying
from tests.integration.remote_rig import GUARD

KEY = '{"type":"service_account","private_key":"canary"}'
NAME = "project/repository/app"
A, B = Digest.of(b"a").text, Digest.of(b"b").text
LISTED = {
    "child": [], "name": NAME, "tags": ["v1", "v2"],
    "manifest": {
        A: {"imageSizeBytes": "1", "mediaType": "x", "tag": ["v1", "v2"], "timeCreatedMs": "1", "timeUploadedMs": "2"},
        B: {"imageSizeBytes": "1", "mediaType": "x", "tag": [], "timeCreatedMs": "1", "timeUploadedMs": 2},
    },
}  # fmt: skip


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        challenge = f'Bearer realm="{server.url}/v2/token",service="{urlsplit(server.url).netloc}"'
        made.add("GET /v2/", Reply.of({}), authorization="Bearer t")
        made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
        made.add(f"GET /v2/{NAME}/tags/list", Reply.of(LISTED), authorization="Bearer t")
        yield made, server


def google(server: Scripted, account: str = "") -> Catalogue:
    access = Access(kind=RegistryKind.GAR, url=server.url, access_key=account, access_secret=Secret(KEY))
    return connect(access, GUARD)


def tokens(made: Replay, server: Scripted, account: str, *scopes: str) -> None:
    basic = "Basic " + base64.b64encode(f"{account}:{KEY}".encode()).decode()
    service = urlsplit(server.url).netloc.replace(":", "%3A")
    for scope in scopes:
        more = f"&scope={scope.replace(':', '%3A').replace('/', '%2F')}" if scope else ""
        made.add(f"GET /v2/token?service={service}{more}", Reply.of({"token": "t"}), authorization=basic)


@pytest.mark.parametrize("account", ["", "_json_key", "_json_key_base64", "oauth2accesstoken"])
def test_a_key_is_a_password(replay: tuple[Replay, Scripted], account: str) -> None:
    tokens(*replay, account or "_json_key", "")
    google(replay[1], account).check()


def test_other_accounts_are_not_known(replay: tuple[Replay, Scripted]) -> None:
    with pytest.raises(AttemptFailed, match="_json_key") as failed:
        google(replay[1], "alice")
    assert failed.value.fault is Fault.DENIED


def test_manifests_are_listed_with_the_tags(replay: tuple[Replay, Scripted]) -> None:
    tokens(*replay, "_json_key", f"repository:{NAME}:pull")
    assert list(google(replay[1]).artifacts(NAME)) == [
        Found(repository=NAME, tags=("v1", "v2"), digest=A),
        Found(repository=NAME, tags=(), digest=B),
    ]


def test_the_tags_of_a_manifest_are_deleted_before_it(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    tokens(made, server, "_json_key", f"repository:{NAME}:pull", f"repository:{NAME}:delete")
    for reference in ("v1", "v2", A):
        made.add(f"DELETE /v2/{NAME}/manifests/{reference}", Reply(status=202), authorization="Bearer t")
    google(server).end.delete_manifest(NAME, Digest(A))
    assert [line.rpartition("/")[2] for line in server.lines if line.startswith("DELETE")] == ["v1", "v2", A]


def test_a_manifest_that_another_one_needs_is_told_in_googles_words(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    tokens(made, server, "_json_key", f"repository:{NAME}:pull", f"repository:{NAME}:delete")
    told = "Manifest is still referenced by one or more parent images"
    held = Reply.refusing(400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE", told)
    made.add(f"DELETE /v2/{NAME}/manifests/{B}", held, authorization="Bearer t")
    with pytest.raises(AttemptFailed, match=told) as failed:
        google(server).end.delete_manifest(NAME, Digest(B))
    assert failed.value.fault is Fault.REFUSED


def test_a_list_without_manifests_is_not_taken_for_an_empty_one(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    tokens(made, server, "_json_key", "repository:x/y/z:pull")
    made.add("GET /v2/x/y/z/tags/list", Reply.of({"tags": ["v1"]}))
    with pytest.raises(AttemptFailed, match="tells no manifests"):
        list(google(server).artifacts("x/y/z"))
