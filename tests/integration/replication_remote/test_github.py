"""GitHub's container registry. Exchanges: GitHub Docs, "REST API endpoints for packages"
(https://docs.github.com/en/rest/packages/packages: list packages for an organization / a user, list package versions
for a package, delete a package version), "Working with the Container registry" (a personal access token as password)
and "Deleting and restoring a package" (what is not deleted).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters import github
from shared.names import Digest, TagName
from shared.secrets import Secret
from tests.clients.scripted import Replay, Reply, Scripted, replaying
from tests.integration.remote_rig import GUARD

A, B = Digest.of(b"a").text, Digest.of(b"b").text
HEADERS = {
    "authorization": "Bearer ghp_canary", "accept": "application/vnd.github+json", "x_github_api_version": "2022-11-28",
}  # fmt: skip
PACKAGE = "/packages/container/team%2Fapp"


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        missing = Reply.of({"message": "Not Found"}, status=404)
        made.add(f"GET /orgs/octo{PACKAGE}", missing, **HEADERS)
        made.add(f"GET /users/octo{PACKAGE}", Reply.of({"id": 1, "name": "team/app"}), **HEADERS)
        made.add("GET /orgs/octo/packages?package_type=container&page=1&per_page=100", missing, **HEADERS)
        versions = [
            {"id": 11, "name": A, "metadata": {"package_type": "container", "container": {"tags": ["v1", "v2"]}}},
            {"id": 12, "name": B, "metadata": {"package_type": "container", "container": {"tags": []}}},
        ]
        made.add(f"GET /users/octo{PACKAGE}/versions?page=1&per_page=100", Reply.of(versions), **HEADERS)
        yield made, server


def ghcr(server: Scripted) -> Catalogue:
    access = Access(
        kind=RegistryKind.GITHUB, url=server.url, access_key="Octo", access_secret=Secret("ghp_canary")
    )
    return github.connect(access, GUARD, api=server.url)


def test_the_token_is_a_password_at_the_registrys_own_token_path(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    challenge = f'Bearer realm="{server.url}/token",service="ghcr.io",scope="repository:user/image:pull"'
    made.add("GET /v2/", Reply.of({}), authorization="Bearer t")
    made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
    made.add("GET /token?service=ghcr.io", Reply.of({"token": "t"}), authorization="Basic T2N0bzpnaHBfY2FuYXJ5")
    ghcr(server).check()


@pytest.mark.parametrize("prefix", ["", "octo/", "octo/te"])
def test_the_packages_of_an_owner_are_listed(replay: tuple[Replay, Scripted], prefix: str) -> None:
    made, server = replay
    first = [{"name": f"p{number:03}"} for number in range(99)] + [{"name": "team/app"}]
    listed = "GET /users/octo/packages?package_type=container"
    made.add(f"{listed}&page=1&per_page=100", Reply.of(first), **HEADERS)
    made.add(f"{listed}&page=2&per_page=100", Reply.of([{"name": "team/tool"}]), **HEADERS)
    found = list(ghcr(server).repositories(prefix))
    assert found[-2:] == ["octo/team/app", "octo/team/tool"]
    assert len(found) == (2 if prefix == "octo/te" else 101)


def test_versions_are_artifacts(replay: tuple[Replay, Scripted]) -> None:
    assert list(ghcr(replay[1]).artifacts("octo/team/app")) == [
        Found(repository="octo/team/app", tags=("v1", "v2"), digest=A),
        Found(repository="octo/team/app", tags=(), digest=B),
    ]


def test_a_manifest_is_deleted_as_a_version(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add(f"DELETE /users/octo{PACKAGE}/versions/12", Reply(status=204), **HEADERS)
    end = ghcr(server).end
    end.delete_manifest("octo/team/app", Digest(B))
    end.delete_manifest("octo/team/app", Digest.of(b"nothing"))
    assert [line for line in server.lines if line.startswith("DELETE")] == [
        f"DELETE /users/octo{PACKAGE}/versions/12"
    ]


@pytest.mark.parametrize(
    "told",
    [
        "You cannot delete the last tagged version of a package. You must delete the package instead.",
        "Publicly visible package versions with more than 5000 downloads cannot be deleted.",
    ],
)
def test_a_version_that_is_not_deleted_is_told_in_githubs_words(replay: tuple[Replay, Scripted], told: str) -> None:
    made, server = replay
    made.add(f"DELETE /users/octo{PACKAGE}/versions/11", Reply.of({"message": told}, status=400), **HEADERS)
    with pytest.raises(AttemptFailed) as failed:
        ghcr(server).end.delete_manifest("octo/team/app", Digest(A))
    assert told in failed.value.sentence
    assert failed.value.fault is Fault.REFUSED


def test_a_version_that_is_gone_meanwhile_is_gone(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    gone = Reply.of({"message": "Package version not found."}, status=404)
    made.add(f"DELETE /users/octo{PACKAGE}/versions/11", gone, **HEADERS)
    ghcr(server).end.delete_manifest("octo/team/app", Digest(A))


def test_a_tag_is_not_deleted_alone(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    made.add("GET /v2/", Reply.of({}))
    made.add("GET /v2/octo/team/app/tags/list?n=500", Reply.of({"name": "octo/team/app", "tags": ["v1"]}))
    end = ghcr(server).end
    end.delete_tag("octo/team/app", TagName("gone"))
    with pytest.raises(AttemptFailed, match="cannot delete the tag v1") as failed:
        end.delete_tag("octo/team/app", TagName("v1"))
    assert failed.value.fault is Fault.REFUSED


def test_a_package_that_is_not_there_has_no_artifacts(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    for kind in ("orgs", "users"):
        made.add(f"GET /{kind}/octo/packages/container/gone", Reply.of({"message": "Not Found"}, status=404))
    assert list(ghcr(server).artifacts("octo/gone")) == []
