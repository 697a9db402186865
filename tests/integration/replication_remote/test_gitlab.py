"""GitLab. Exchanges: https://docs.gitlab.com/api/container_registry/ (list registry repositories within a project,
delete a registry repository tag), https://docs.gitlab.com/api/projects/; tokens come of GitLab's /jwt/auth.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters import gitlab
from shared.names import TagName
from shared.secrets import Secret
from tests.clients.scripted import Replay, Reply, Scripted, replaying
from tests.integration.remote_rig import GUARD

TOKEN = {"private_token": "glpat-canary"}
MISSING = Reply.of({"message": "404 Project Not Found"}, status=404)


@pytest.fixture
def replay() -> Iterator[tuple[Replay, Scripted]]:
    with replaying() as (made, server):
        projects = "GET /api/v4/projects?membership=true&simple=true&page=1&per_page=100"
        listed = [{"id": 1, "path_with_namespace": "Group/App"}, {"id": 2, "path_with_namespace": "other/thing"}]
        made.add(projects, Reply.of(listed), **TOKEN)
        repositories = [
            {"id": 7, "name": "", "path": "group/app", "project_id": 1},
            {"id": 8, "name": "web", "path": "group/app/web", "project_id": 1},
        ]
        made.add("GET /api/v4/projects/1/registry/repositories?page=1&per_page=100", Reply.of(repositories), **TOKEN)
        made.add("GET /api/v4/projects/2/registry/repositories?page=1&per_page=100", MISSING, **TOKEN)
        for path, reply in (("group%2Fapp%2Fweb", MISSING), ("group%2Fapp", Reply.of(repositories))):
            made.add(f"GET /api/v4/projects/{path}/registry/repositories?page=1&per_page=100", reply, **TOKEN)
        yield made, server


def registry(server: Scripted, home: str | None = None) -> Catalogue:
    access = Access(
        kind=RegistryKind.GITLAB, url=server.url, access_key="root", access_secret=Secret("glpat-canary")
    )
    return gitlab.connect(access, GUARD, gitlab=home or server.url.replace("127.0.0.1", "localhost"))


@pytest.mark.parametrize("named", [True, False])
def test_the_token_comes_from_the_gitlab_of_this_registry_alone(replay: tuple[Replay, Scripted], named: bool) -> None:  # noqa: FBT001
    made, server = replay
    realm = server.url.replace("127.0.0.1", "localhost") + "/jwt/auth"
    challenge = f'Bearer realm="{realm}",service="container_registry"'
    made.add("GET /v2/", Reply.of({}), authorization="Bearer t")
    made.add("GET /v2/", Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": challenge}))
    made.add(
        "GET /jwt/auth?service=container_registry", Reply.of({"token": "t"}),
        authorization="Basic cm9vdDpnbHBhdC1jYW5hcnk=",
    )  # fmt: skip
    if named:
        registry(server).check()
        return
    with pytest.raises(AttemptFailed, match="another host"):
        registry(server, home="https://gitlab.example").check()
    assert server.lines == ["GET /v2/"]


@pytest.mark.parametrize(
    ("registry_url", "home"),
    [
        ("https://registry.gitlab.com", "https://gitlab.com"),
        ("https://registry.gitlab.example/", "https://gitlab.example"),
        ("https://gitlab.example:5050", "https://gitlab.example"),
    ],
)
def test_a_registrys_gitlab_is_known_by_its_name(registry_url: str, home: str) -> None:
    assert gitlab.home(registry_url) == home


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("", ["group/app", "group/app/web"]), ("group/app/", ["group/app/web"]), ("nothing/", [])],
)
def test_the_repositories_of_ones_projects_are_listed(
    replay: tuple[Replay, Scripted], prefix: str, found: list[str]
) -> None:
    assert list(registry(replay[1]).repositories(prefix)) == found


def test_whoever_may_not_ask_the_api_is_told_what_to_do() -> None:
    with replaying() as (made, server):
        made.add(
            "GET /api/v4/projects?membership=true&simple=true&page=1&per_page=100",
            Reply.of({"message": "401 Unauthorized"}, status=401),
        )
        with pytest.raises(AttemptFailed, match="name them in the filter"):
            list(registry(server).repositories(""))


def test_a_tag_is_deleted_in_the_repository_of_its_project(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    line = "DELETE /api/v4/projects/group%2Fapp/registry/repositories/8/tags/v1"
    made.add(line, Reply(status=200), **TOKEN)
    registry(server).end.delete_tag("group/app/web", TagName("v1"))
    assert server.lines[-1] == line


def test_a_tag_of_a_repository_that_is_gone_is_gone(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    for path in ("group%2Fapp%2Fgone",):
        made.add(f"GET /api/v4/projects/{path}/registry/repositories?page=1&per_page=100", MISSING, **TOKEN)
    registry(server).end.delete_tag("group/app/gone", TagName("v1"))
    assert not [line for line in server.lines if line.startswith("DELETE")]


def test_a_protected_tag_is_told(replay: tuple[Replay, Scripted]) -> None:
    made, server = replay
    told = Reply.of({"message": "403 Forbidden - the tag is protected"}, status=403)
    made.add("DELETE /api/v4/projects/group%2Fapp/registry/repositories/7/tags/v1", told, **TOKEN)
    with pytest.raises(AttemptFailed, match="the tag is protected") as failed:
        registry(server).end.delete_tag("group/app", TagName("v1"))
    assert failed.value.fault is Fault.DENIED
