"""Quay. Exchanges: https://docs.redhat.com/en/documentation/red_hat_quay/3/html/red_hat_quay_api_reference/ (listRepos,
createRepo, listRepoTags, deleteFullTag).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote import connect
from shared.names import Digest, TagName
from shared.secrets import Secret
from tests.clients.scripted import Replay, Reply, Scripted, replaying
from tests.integration.remote_rig import GUARD

OAUTH = {"authorization": "Bearer canary"}
DIGEST = Digest.of(b"a").text


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        yield made, server


def quay(server: Scripted, account: str = "$oauthtoken") -> Catalogue:
    access = Access(kind=RegistryKind.QUAY, url=server.url, access_key=account, access_secret=Secret("canary"))
    return connect(access, GUARD)


def test_a_token_is_got_at_quays_own_path(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    challenge = f'Bearer realm="{server.url}/v2/auth",service="quay.io"'
    made.add("GET /v2/", Reply.of({}), authorization="Bearer t")
    made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
    made.add(
        "GET /v2/auth?service=quay.io", Reply.of({"token": "t"}), authorization="Basic JG9hdXRodG9rZW46Y2FuYXJ5"
    )
    quay(server).check()


def test_the_repositories_of_a_namespace_are_listed_page_by_page(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    path = "GET /api/v1/repository?namespace=acme"
    first = {"repositories": [{"namespace": "acme", "name": "app"}], "next_page": "gAAA=="}
    made.add(path, Reply.of(first), **OAUTH)
    last = {"repositories": [{"namespace": "acme", "name": "tool"}]}
    made.add(f"{path}&next_page=gAAA%3D%3D", Reply.of(last), **OAUTH)
    assert list(quay(server).repositories("acme/")) == ["acme/app", "acme/tool"]
    assert list(quay(server).repositories("acme/t")) == ["acme/tool"]


def test_a_robot_lists_by_the_registry(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add("GET /v2/", Reply.of({}))
    made.add("GET /v2/_catalog?n=500", Reply.of({"repositories": ["acme/app"]}))
    made.add("GET /v2/acme/app/tags/list?n=500", Reply.of({"tags": ["v1"]}))
    listing = quay(server, "acme+robot")
    assert list(listing.repositories("acme/")) == ["acme/app"]
    assert list(listing.artifacts("acme/app")) == [Found(repository="acme/app", tags=("v1",))]
    listing.prepare("acme/app", public=True)


def test_tags_come_with_their_digests(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    path = "GET /api/v1/repository/acme/app/tag/?onlyActiveTags=true&limit=100"
    for page, tag, more in ((1, "v1", True), (2, "v2", False)):
        content = {"tags": [{"name": tag, "manifest_digest": DIGEST}], "page": page, "has_additional": more}
        made.add(f"{path}&page={page}", Reply.of(content), **OAUTH)
    made.add("GET /api/v1/repository/acme/gone/tag/?onlyActiveTags=true&limit=100&page=1", Reply(status=404))
    assert list(quay(server).artifacts("acme/app")) == [
        Found(repository="acme/app", tags=(tag,), digest=DIGEST) for tag in ("v1", "v2")
    ]
    assert list(quay(server).artifacts("acme/gone")) == []


@pytest.mark.parametrize("public", [True, False])
def test_a_repository_is_made_as_it_is_to_be_seen(replay: tuple[Replay, Scripted], public: bool) -> None:  # noqa: FBT001
    made, server = replay
    made.add("GET /api/v1/repository/acme/app?includeTags=false", Reply.of({"name": "app"}), **OAUTH)
    made.add("GET /api/v1/repository/acme/new?includeTags=false", Reply(status=404), **OAUTH)
    wanted = {
        "repo_kind": "image", "namespace": "acme", "repository": "new", "description": "",
        "visibility": "public" if public else "private",
    }  # fmt: skip
    made.add("POST /api/v1/repository", Reply.of({"name": "new"}, status=201), content=wanted, **OAUTH)
    quay(server).prepare("acme/app", public=public)
    quay(server).prepare("acme/new", public=public)
    assert server.lines[-1] == "POST /api/v1/repository"


def test_a_tag_is_deleted_by_the_api(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add("DELETE /api/v1/repository/acme/app/tag/v1", Reply(status=204), **OAUTH)
    made.add("DELETE /api/v1/repository/acme/app/tag/gone", Reply(status=404), **OAUTH)
    told = Reply.of({"error_message": "Unauthorized", "message": "Unauthorized"}, status=403)
    made.add("DELETE /api/v1/repository/acme/app/tag/v2", told, **OAUTH)
    end = quay(server).end
    end.delete_tag("acme/app", TagName("v1"))
    end.delete_tag("acme/app", TagName("gone"))
    with pytest.raises(AttemptFailed, match="Unauthorized") as failed:
        end.delete_tag("acme/app", TagName("v2"))
    assert failed.value.fault is Fault.DENIED
