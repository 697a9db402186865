"""Azure Container Registry. Exchanges: https://azure.github.io/acr/Token-BasicAuth.html,
https://learn.microsoft.com/en-us/rest/api/containerregistry/manifests/get-list, …/tag/delete.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

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

BASIC = "Basic c2VydmljZS1wcmluY2lwYWw6Y2FuYXJ5"
A, B = Digest.of(b"a").text, Digest.of(b"b").text


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        challenge = f'Bearer realm="{server.url}/oauth2/token",service="contosoregistry.azurecr.io"'
        made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
        for scope in ("registry:catalog:*", "repository:app:metadata_read", "repository:app:delete"):
            asked = f"GET /oauth2/token?service=contosoregistry.azurecr.io&scope={quote(scope, safe='*')}"
            asked = asked.replace("*", "%2A")
            made.add(asked, Reply.of({"access_token": scope}), authorization=BASIC)
        yield made, server


def azure(server: Scripted) -> Catalogue:
    access = Access(
        kind=RegistryKind.ACR, url=server.url, access_key="service-principal", access_secret=Secret("canary")
    )
    return connect(access, GUARD)


def test_the_catalog_is_read_page_by_page(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    link = {"Link": '</v2/_catalog?last=app&n=500&orderby=>; rel="next"'}
    bearer = {"authorization": "Bearer registry:catalog:*"}
    made.add("GET /v2/_catalog?n=500", Reply.of({"repositories": ["app"]}, **link), **bearer)
    made.add("GET /v2/_catalog?last=app&n=500&orderby=", Reply.of({"repositories": ["tool"]}), **bearer)
    assert list(azure(server).repositories("")) == ["app", "tool"]


def test_manifests_come_with_their_tags(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    bearer = {"authorization": "Bearer repository:app:metadata_read"}
    more = f"/acr/v1/app/_manifests?last={A}&n=100"
    made.add(
        "GET /acr/v1/app/_manifests?n=100",
        Reply.of(
            {"registry": "contosoregistry.azurecr.io", "imageName": "app",
             "manifests": [{"digest": A, "imageSize": 1, "tags": ["v1", "v2"]}]},
            Link=f'<{more}>; rel="next"',
        ),
        **bearer,
    )  # fmt: skip
    made.add(f"GET {more}", Reply.of({"imageName": "app", "manifests": [{"digest": B}]}), **bearer)
    assert list(azure(server).artifacts("app")) == [
        Found(repository="app", tags=("v1", "v2"), digest=A),
        Found(repository="app", tags=(), digest=B),
    ]


def test_a_tag_is_deleted_alone(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    bearer = {"authorization": "Bearer repository:app:delete"}
    made.add("DELETE /acr/v1/app/_tags/v1", Reply(status=202), **bearer)
    made.add("DELETE /acr/v1/app/_tags/gone", Reply.refusing(404, "TAG_UNKNOWN"), **bearer)
    locked = Reply.refusing(405, "UNSUPPORTED", "the operation is disallowed: the tag is locked")
    made.add("DELETE /acr/v1/app/_tags/locked", locked, **bearer)
    end = azure(server).end
    end.delete_tag("app", TagName("v1"))
    end.delete_tag("app", TagName("gone"))
    with pytest.raises(AttemptFailed, match="the tag is locked") as failed:
        end.delete_tag("app", TagName("locked"))
    assert failed.value.fault is Fault.REFUSED
