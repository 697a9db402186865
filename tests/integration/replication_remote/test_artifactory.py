"""JFrog Artifactory. Exchanges: "JFrog REST APIs" (https://jfrog.com/help/r/jfrog-rest-apis: Get Repositories, List
Docker Repositories, Create Repository, Delete Item); of "JFrog Artifactory Documentation" the chapters "Deletion and
Cleanup of Docker Tags and Repositories" and on the repository path method behind a proxy (/v2/token, by Basic).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue
from services.replication.errors import AttemptFailed
from services.replication.remote import connect
from shared.names import Digest, TagName
from shared.secrets import Secret
from tests.clients.scripted import Replay, Reply, Scripted, replaying
from tests.integration.remote_rig import GUARD

BASIC = {"authorization": "Basic YWxpY2U6Y2FuYXJ5"}
KEYS = [{"key": "docker-local", "type": "LOCAL", "packageType": "Docker"}, {"key": "docker-remote", "type": "REMOTE"}]
A, B = Digest.of(b"a").text, Digest.of(b"b").text


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        made.add("GET /artifactory/api/repositories?packageType=docker", Reply.of(KEYS), **BASIC)
        yield made, server


def artifactory(server: Scripted, path: str = "") -> Catalogue:
    access = Access(
        kind=RegistryKind.ARTIFACTORY, url=f"{server.url}{path}", access_key="alice", access_secret=Secret("canary")
    )
    return connect(access, GUARD)


@pytest.mark.parametrize("path", ["", "/", "/artifactory", "/artifactory/"])
def test_it_is_found_by_either_of_its_urls(replay: tuple[Replay, Scripted], path: str) -> None:
    made, server = replay
    challenge = f'Bearer realm="{server.url}/v2/token",service="127.0.0.1"'
    made.add("GET /v2/", Reply.of({}), authorization="Bearer t")
    made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
    made.add("GET /v2/token?service=127.0.0.1", Reply.of({"token": "t"}), **BASIC)
    artifactory(server, path).check()


def test_the_images_of_all_docker_repositories_are_listed(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    catalog = "GET /artifactory/api/docker/docker-local/v2/_catalog?n=100"
    first = [f"i{number:03}" for number in range(100)]
    made.add(catalog, Reply.of({"repositories": first}), **BASIC)
    made.add(f"{catalog}&last=i099", Reply.of({"repositories": ["team/app"]}), **BASIC)
    made.add(
        "GET /artifactory/api/docker/docker-remote/v2/_catalog?n=100", Reply.of({"repositories": ["hello"]}), **BASIC
    )
    found = list(artifactory(server).repositories(""))
    assert (len(found), found[0], found[-2:]) == (
        102, "docker-local/i000", ["docker-local/team/app", "docker-remote/hello"],
    )  # fmt: skip
    assert list(artifactory(server).repositories("docker-local/t")) == ["docker-local/team/app"]


def test_whoever_may_not_list_is_told_what_to_do() -> None:
    with replaying() as (made, server):
        made.add(
            "GET /artifactory/api/repositories?packageType=docker",
            Reply.of({"errors": [{"status": 403, "message": "Forbidden"}]}, status=403),
        )
        with pytest.raises(AttemptFailed, match="name them in the filter"):
            list(artifactory(server).repositories(""))


def test_a_local_repository_is_made(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add("GET /artifactory/api/repositories/docker-local", Reply.of({"key": "docker-local"}), **BASIC)
    made.add("GET /artifactory/api/repositories/new", Reply.of({"errors": [{"status": 400}]}, status=400), **BASIC)
    wanted = {"key": "new", "rclass": "local", "packageType": "docker"}
    made.add("PUT /artifactory/api/repositories/new", Reply(status=200), content=wanted, **BASIC)
    artifactory(server).prepare("docker-local/app", public=True)
    artifactory(server).prepare("new/app", public=True)
    assert server.lines[-1] == "PUT /artifactory/api/repositories/new"


def test_who_may_not_make_one_hears_artifactorys_words(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add("GET /artifactory/api/repositories/new", Reply(status=400), **BASIC)
    told = Reply.of({"errors": [{"status": 403, "message": "This REST API is available only to admins"}]}, status=403)
    made.add("PUT /artifactory/api/repositories/new", told, **BASIC)
    with pytest.raises(AttemptFailed, match="available only to admins") as failed:
        artifactory(server).prepare("new/app", public=True)
    assert failed.value.fault is Fault.DENIED
    with pytest.raises(AttemptFailed, match="names no image"):
        artifactory(server).prepare("new", public=True)


def test_tags_are_deleted_as_items_and_a_manifest_by_its_tags(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add("GET /v2/", Reply.of({}))
    made.add("GET /v2/docker-local/team/app/tags/list?n=500", Reply.of({"tags": ["v1", "v2", "v3"]}))
    for tag, digest in (("v1", A), ("v2", B), ("v3", A)):
        headers = {"Docker-Content-Digest": digest}
        made.add(f"HEAD /v2/docker-local/team/app/manifests/{tag}", Reply(headers=headers))
    item = "DELETE /artifactory/docker-local/team/app"
    for name, status in (("v1", 204), ("v3", 204), (A, 404), ("gone", 404)):
        made.add(f"{item}/{name}", Reply(status=status), **BASIC)
    end = artifactory(server).end
    end.delete_tag("docker-local/team/app", TagName("gone"))
    end.delete_manifest("docker-local/team/app", Digest(A))
    assert [line for line in server.lines if line.startswith("DELETE")] == [
        f"{item}/{name}" for name in ("gone", "v1", "v3", A)
    ]
