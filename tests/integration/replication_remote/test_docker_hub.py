"""Docker Hub. Exchanges: https://docs.docker.com/reference/api/hub/latest/ (POST /v2/auth/token, list of repositories
and of tags), https://distribution.github.io/distribution/spec/auth/token/ (the challenge of auth.docker.io).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters import docker_hub
from shared.names import Digest, TagName
from shared.secrets import Secret
from tests.clients.scripted import Replay, Reply, Scripted, replaying
from tests.integration.remote_rig import GUARD

BASIC = "Basic YWNtZTpjYW5hcnk="
OLD, NEW = Digest.of(b"old").text, Digest.of(b"new").text
TAGS = "/v2/namespaces/acme/repositories/app/tags"


def hub(server: Scripted, token_host: str = "localhost", secret: str | None = "canary") -> Catalogue:
    access = Access(
        kind=RegistryKind.DOCKER_HUB, url="https://hub.docker.com", access_key="acme",
        access_secret=Secret(secret) if secret else None,
    )  # fmt: skip
    return docker_hub.connect(access, GUARD, registry=server.url, api=server.url, token_host=token_host)


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        token = server.url.replace("127.0.0.1", "localhost") + "/token"
        challenge = f'Bearer realm="{token}",service="registry.docker.io"'
        scope = "repository%3Aacme%2Fapp%3Apull"
        made.add("GET /v2/", Reply.of({}), authorization="Bearer base")
        made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
        made.add("GET /token?service=registry.docker.io", Reply.of({"token": "base"}), authorization=BASIC)
        made.add(
            f"GET /token?service=registry.docker.io&scope={scope}",
            Reply.of({"token": "pull", "access_token": "pull", "expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"}),
            authorization=BASIC,
        )
        made.add(
            "POST /v2/auth/token", Reply.of({"access_token": "jwt"}),
            content={"identifier": "acme", "secret": "canary"},
        )
        made.add(
            f"GET {TAGS}?page=1&page_size=100",
            Reply.of({
                "count": 3, "next": f"https://hub.docker.com{TAGS}?page=2&page_size=100", "previous": None,
                "results": [{"name": "v1", "digest": OLD}, {"name": "v2", "digest": NEW}],
            }),
            authorization="Bearer jwt",
        )  # fmt: skip
        made.add(
            f"GET {TAGS}?page=2&page_size=100",
            Reply.of({"count": 3, "next": None, "previous": None, "results": [{"name": "old", "digest": OLD}]}),
            authorization="Bearer jwt",
        )
        yield made, server


def test_the_password_goes_to_the_token_host_that_is_named(replay: tuple[Replay, Scripted]) -> None:
    _, server = replay
    hub(server).check()
    assert server.lines == ["GET /v2/", "GET /token?service=registry.docker.io", "GET /v2/"]


def test_it_goes_to_no_other_host(replay: tuple[Replay, Scripted]) -> None:
    _, server = replay
    with pytest.raises(AttemptFailed, match="another host") as failed:
        hub(server, token_host="auth.docker.io").check()
    assert failed.value.fault is Fault.DENIED
    assert server.lines == ["GET /v2/"]


def test_the_real_hosts_are_docker_hubs() -> None:
    assert (docker_hub.REGISTRY, docker_hub.TOKEN_HOST, docker_hub.API) == (
        "https://registry-1.docker.io", "auth.docker.io", "https://hub.docker.com",
    )  # fmt: skip
    made = docker_hub.connect(Access(kind=RegistryKind.DOCKER_HUB, url="https://hub.docker.com"), GUARD)
    assert made.end.place == "https://registry-1.docker.io:443"


@pytest.mark.parametrize("prefix", ["", "ac", "acme/"])
def test_the_repositories_of_a_namespace_are_listed(replay: tuple[Replay, Scripted], prefix: str) -> None:
    made, server = replay
    made.add(
        "GET /v2/namespaces/acme/repositories?page=1&page_size=100",
        Reply.of({"count": 2, "next": None, "results": [{"name": "app"}, {"name": "tool"}]}),
        authorization="Bearer jwt",
    )
    listing = hub(server)
    assert list(listing.repositories(prefix)) == ["acme/app", "acme/tool"]
    assert list(listing.repositories(f"{prefix.partition('/')[0] or 'acme'}x")) == []
    assert [line for line in server.lines if "auth" in line] == ["POST /v2/auth/token"]


def test_tags_of_all_pages_come_with_their_digests(replay: tuple[Replay, Scripted]) -> None:
    _, server = replay
    assert list(hub(server).artifacts("acme/app")) == [
        Found(repository="acme/app", tags=(tag,), digest=digest)
        for tag, digest in (("v1", OLD), ("v2", NEW), ("old", OLD))
    ]


def test_a_tag_is_deleted_by_the_api_and_a_manifest_by_its_tags(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    for tag in ("v1", "old"):
        made.add(f"DELETE /v2/repositories/acme/app/tags/{tag}/", Reply(status=204), authorization="Bearer jwt")
    made.add("DELETE /v2/repositories/acme/app/tags/gone/", Reply.of({"detail": "Not found"}, status=404))
    end = hub(server).end
    end.delete_tag("acme/app", TagName("gone"))
    end.delete_manifest("acme/app", Digest(OLD))
    assert [line.rpartition("/tags/")[2] for line in server.lines if line.startswith("DELETE")] == [
        "gone/", "v1/", "old/",
    ]  # fmt: skip


def test_a_wrong_password_is_denied(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add(
        "POST /v2/auth/token", Reply.of({"detail": "Incorrect authentication credentials"}, status=401),
        content={"identifier": "acme", "secret": "wrong"},
    )  # fmt: skip
    with pytest.raises(AttemptFailed, match="Incorrect authentication credentials") as failed:
        list(hub(server, secret="wrong").artifacts("acme/app"))
    assert failed.value.fault is Fault.DENIED


@pytest.mark.parametrize("name", ["app", "acme/team/app"])
def test_a_name_that_docker_hub_does_not_know_is_refused(replay: tuple[Replay, Scripted], name: str) -> None:
    with pytest.raises(AttemptFailed, match="namespace/name"):
        hub(replay[1]).prepare(name, public=True)
