"""Harbor by its API v2.0: a server that answers as Harbor's swagger says, strict about what it is asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from services.replication.domain.policy import ResourceKind
from services.replication.domain.registry import RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from shared.names import Digest, TagName
from tests.clients.scripted import Reply, Request, Scripted, scripted
from tests.integration.remote_rig import catalogue

ROBOT = ("robot$copier", "canary")
BASIC = f"Basic {base64.b64encode(':'.join(ROBOT).encode()).decode()}"
DIGEST = Digest.of(b"artifact")


@dataclass
class Harbor:
    projects: dict[str, list[str]] = field(default_factory=dict)
    made: list[object] = field(default_factory=list)
    refusals: dict[str, Reply] = field(default_factory=dict)
    server: Scripted = field(init=False)

    def answer(self, request: Request) -> Reply:
        if request.path == "/v2/":
            realm = f'Bearer realm="{self.server.url}/service/token",service="harbor-registry"'
            if request.headers.get("authorization") == "Bearer t":
                return Reply.of({})
            return Reply.refusing(401, "UNAUTHORIZED", **{"WWW-Authenticate": realm})
        if request.headers.get("authorization") != BASIC:
            return Reply.refusing(401, "UNAUTHORIZED", "unauthorized")
        if request.path == "/service/token":
            return Reply.of({"token": "t", "expires_in": 1800})
        for line, reply in self.refusals.items():
            if request.line.startswith(line):
                return reply
        return self._api(request, request.path.removeprefix("/api/v2.0"))

    def _api(self, request: Request, path: str) -> Reply:  # noqa: PLR0911 - a table of answers
        if path == "/systeminfo":
            return Reply.of({"auth_mode": "db_auth", "harbor_version": "v2.12.0"})
        if path == "/projects" and request.method == "HEAD":
            return Reply(status=200 if request.query["project_name"][0] in self.projects else 404)
        if path == "/projects" and request.method == "POST":
            assert request.headers["content-type"] == "application/json"
            self.made.append(json.loads(request.body))
            return Reply(status=201)
        if path == "/projects":
            return self._page(request, [{"name": name} for name in self.projects])
        project, _, rest = path.removeprefix("/projects/").partition("/")
        if rest == "repositories" and project in self.projects:
            return self._page(request, [{"name": f"{project}/{name}"} for name in self.projects[project]])
        if rest == "repositories/a%252Fapp/artifacts":
            assert (request.query["with_tag"], request.query["with_label"]) == (["true"], ["true"])
            tags, labels = [{"name": "v1"}, {"name": "v2"}], [{"name": "stable", "scope": "g"}]
            image = {"digest": DIGEST.text, "type": "IMAGE", "tags": tags, "labels": labels}
            return self._page(request, [image, {"digest": Digest.of(b"sbom").text, "type": "SBOM", "tags": None}])
        if request.method == "DELETE" and rest.startswith("repositories/a%252Fapp/artifacts/"):
            return Reply(status=200)
        return Reply.refusing(404, "NOT_FOUND", f"{path} not found")

    def _page(self, request: Request, found: list[dict[str, object]]) -> Reply:
        number, size = int(request.query["page"][0]), int(request.query["page_size"][0])
        assert size <= 100
        return Reply.of(found[(number - 1) * size : number * size], **{"X-Total-Count": str(len(found))})


@pytest.fixture
def harbor() -> Iterator[Harbor]:
    made = Harbor(projects={"library": ["app", "a/app"], "empty": [], **{f"p{number:03}": [] for number in range(150)}})
    with scripted(made.answer) as server:
        made.server = server
        yield made


@pytest.fixture
def listing(harbor: Harbor) -> Catalogue:
    return catalogue(harbor.server.url, RegistryKind.HARBOR, access_key=ROBOT[0], access_secret=ROBOT[1])


def test_it_is_checked_at_both_doors(harbor: Harbor, listing: Catalogue) -> None:
    listing.check()
    assert harbor.server.lines[0] == "GET /api/v2.0/systeminfo"
    assert harbor.server.lines[-1] == "GET /v2/"


def test_a_wrong_password_fails_the_check_and_is_not_told(harbor: Harbor) -> None:
    wrong = catalogue(harbor.server.url, RegistryKind.HARBOR, access_key=ROBOT[0], access_secret="wrong-word")
    with pytest.raises(AttemptFailed) as failed:
        wrong.check()
    assert failed.value.fault is Fault.DENIED
    assert "wrong-word" not in failed.value.sentence


def test_what_is_no_harbor_is_told(harbor: Harbor, listing: Catalogue) -> None:
    harbor.refusals["GET /api/v2.0/systeminfo"] = Reply.of(["welcome"])
    with pytest.raises(AttemptFailed, match="no Harbor"):
        listing.check()


def test_repositories_of_all_pages_are_listed(harbor: Harbor, listing: Catalogue) -> None:
    harbor.projects["p149"] = [f"r{number:03}" for number in range(101)]
    assert len(list(listing.repositories(""))) == 103
    assert list(listing.repositories("lib")) == ["library/app", "library/a/app"]


def test_of_a_named_project_only_that_is_asked(harbor: Harbor, listing: Catalogue) -> None:
    assert list(listing.repositories("library/a/")) == ["library/a/app"]
    assert harbor.server.lines == ["GET /api/v2.0/projects/library/repositories?page=1&page_size=100"]


def test_an_account_that_may_not_list_projects_is_told_what_to_do(harbor: Harbor, listing: Catalogue) -> None:
    harbor.refusals["GET /api/v2.0/projects?"] = Reply.refusing(403, "FORBIDDEN")
    with pytest.raises(AttemptFailed, match="name them in the filter"):
        list(listing.repositories(""))


def test_artifacts_come_with_tags_labels_and_kind(listing: Catalogue) -> None:
    assert list(listing.artifacts("library/a/app")) == [
        Found(repository="library/a/app", tags=("v1", "v2"), digest=DIGEST.text, labels=("stable",)),
        Found(
            repository="library/a/app", tags=(), digest=Digest.of(b"sbom").text, kind=ResourceKind.ARTIFACT
        ),
    ]  # fmt: skip
    assert list(listing.artifacts("library/nothing")) == []


@pytest.mark.parametrize("public", [True, False])
def test_a_project_is_made_with_its_public_flag(harbor: Harbor, listing: Catalogue, public: bool) -> None:  # noqa: FBT001
    listing.prepare("library/app", public=public)
    assert harbor.made == []
    listing.prepare("new/app", public=public)
    assert harbor.made == [{"project_name": "new", "metadata": {"public": "true" if public else "false"}}]


@pytest.mark.parametrize(("status", "fault"), [(409, None), (403, Fault.DENIED), (500, Fault.SERVER_ERROR)])
def test_a_project_that_cannot_be_made_is_told(
    harbor: Harbor, listing: Catalogue, status: int, fault: Fault | None
) -> None:
    harbor.refusals["POST /api/v2.0/projects"] = Reply.refusing(status, "X", "only administrators make projects")
    if fault is None:
        listing.prepare("new/app", public=True)
        return
    with pytest.raises(AttemptFailed, match="only administrators make projects") as failed:
        listing.prepare("new/app", public=True)
    assert failed.value.fault is fault


def test_a_repository_without_a_project_is_refused(listing: Catalogue) -> None:
    with pytest.raises(AttemptFailed, match="is in no project"):
        listing.prepare("app", public=True)


def test_deletions_go_by_the_api(harbor: Harbor, listing: Catalogue) -> None:
    path = "/api/v2.0/projects/library/repositories/a%252Fapp/artifacts"
    listing.end.delete_tag("library/a/app", TagName("v1"))
    listing.end.delete_manifest("library/a/app", DIGEST)
    assert harbor.server.lines == [f"DELETE {path}/v1/tags/v1", f"DELETE {path}/{DIGEST}"]
    listing.end.delete_tag("library/gone", TagName("v1"))


def test_an_immutable_tag_is_not_deleted(harbor: Harbor, listing: Catalogue) -> None:
    harbor.refusals["DELETE"] = Reply.refusing(412, "PRECONDITION", "the tag is immutable")
    with pytest.raises(AttemptFailed, match="the tag is immutable") as failed:
        listing.end.delete_tag("library/a/app", TagName("v1"))
    assert failed.value.fault is Fault.REFUSED
