"""Amazon ECR. Exchanges: "Amazon ECR API Reference" (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/:
GetAuthorizationToken, DescribeRepositories, ListImages, CreateRepository, BatchDeleteImage with the codes of
ImageFailure) and "Private registry authentication" of its user guide (Basic). Each request's signature is checked anew.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote import connect
from services.replication.remote.adapters import ecr
from services.replication.remote.adapters.sigv4 import Signer
from shared.names import Digest, TagName
from shared.secrets import Secret
from tests.clients.scripted import Reply, Request, Scripted, scripted
from tests.integration.remote_rig import GUARD

SIGNER = Signer(key_id="AKIDEXAMPLE", secret=Secret("canary"), region="eu-west-1", service="ecr")
A, B = Digest.of(b"a").text, Digest.of(b"b").text


@dataclass
class Amazon:
    """Password by password, each good for a while."""

    lifetime: float = 12 * 3600
    answers: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/v2/"):
            if self.passwords and request.headers.get("authorization") == f"Basic {self.passwords[-1]}":
                return Reply.of({"name": "app", "tags": ["v1"]})
            challenge = 'Basic realm="https://x/",service="ecr.amazonaws.com"'
            return Reply(status=401, body=b"Not Authorized\n", headers={"WWW-Authenticate": challenge})
        self._check(request)
        action = request.headers["x-amz-target"].removeprefix("AmazonEC2ContainerRegistry_V20150921.")
        self.asked.append((action, json.loads(request.body)))
        if action == "GetAuthorizationToken" and action not in self.answers:
            self.passwords.append(base64.b64encode(f"AWS:password-{len(self.passwords)}".encode()).decode())
            data = {"authorizationToken": self.passwords[-1], "expiresAt": time.time() + self.lifetime}
            return Reply.of({"authorizationData": [data | {"proxyEndpoint": "https://x"}]})
        return self.answers[action].pop(0)

    def _check(self, request: Request) -> None:
        assert (request.line, request.headers["content-type"]) == ("POST /", "application/x-amz-json-1.1")
        signed = {name: request.headers[name] for name in ("host", "content-type", "x-amz-target")}
        moment = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        wanted = SIGNER.headers("POST", "/", "", signed, request.body, now=moment)["Authorization"]
        assert request.headers["authorization"] == wanted


@pytest.fixture
def amazon() -> Iterator[tuple[Amazon, Scripted]]:
    made = Amazon()
    with scripted(made.answer) as server:
        yield made, server


def registry(server: Scripted) -> Catalogue:
    access = Access(kind=RegistryKind.ECR, url=server.url, access_key="AKIDEXAMPLE", access_secret=Secret("canary"))
    return ecr.connect(access, GUARD, api=server.url, region="eu-west-1")


def failing(name: str, message: str = "as told") -> Reply:
    return Reply.of({"__type": name, "message": message}, status=400)


def test_the_password_of_the_api_is_kept(amazon: tuple[Amazon, Scripted]) -> None:
    made, server = amazon
    listing = registry(server)
    assert [listing.end.tags("app") for _ in range(3)] == [["v1"]] * 3
    assert made.asked == [("GetAuthorizationToken", {})]


def test_it_is_fetched_anew_before_its_end_and_where_it_is_not_taken(amazon: tuple[Amazon, Scripted]) -> None:
    made, server = amazon
    made.lifetime = 0
    listing = registry(server)
    listing.end.tags("app")
    listing.end.tags("app")
    assert len(made.passwords) == 2
    made.lifetime = 12 * 3600
    listing.end.tags("app")
    made.passwords.append("of somebody else")
    listing.end.tags("app")
    assert len(made.passwords) == 5


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("UnrecognizedClientException", Fault.DENIED),
        ("com.amazon.coral.service#AccessDeniedException", Fault.DENIED),
        ("ThrottlingException", Fault.OVERLOADED),
        ("InvalidParameterException", Fault.REFUSED),
    ],
)
def test_what_the_api_names_has_a_fault(amazon: tuple[Amazon, Scripted], name: str, fault: Fault) -> None:
    made, server = amazon
    made.answers["GetAuthorizationToken"] = [failing(name)]
    with pytest.raises(AttemptFailed, match="as told") as failed:
        registry(server).check()
    assert failed.value.fault is fault


def test_repositories_are_listed_page_by_page(amazon: tuple[Amazon, Scripted]) -> None:
    made, server = amazon
    made.answers["DescribeRepositories"] = [
        Reply.of({"repositories": [{"repositoryName": "team/app"}], "nextToken": "more"}),
        Reply.of({"repositories": [{"repositoryName": "tool"}]}),
    ]
    assert list(registry(server).repositories("t")) == ["team/app", "tool"]
    assert [fields for _, fields in made.asked] == [{"maxResults": 1000}, {"maxResults": 1000, "nextToken": "more"}]


def test_images_come_together_by_their_digest(amazon: tuple[Amazon, Scripted]) -> None:
    made, server = amazon
    made.answers["ListImages"] = [
        Reply.of({"imageIds": [{"imageDigest": A, "imageTag": "v1"}, {"imageDigest": B}], "nextToken": "more"}),
        Reply.of({"imageIds": [{"imageDigest": A, "imageTag": "v2"}]}),
        failing("RepositoryNotFoundException"),
    ]
    assert list(registry(server).artifacts("app")) == [
        Found(repository="app", tags=("v1", "v2"), digest=A),
        Found(repository="app", tags=(), digest=B),
    ]
    assert list(registry(server).artifacts("gone")) == []


def test_a_repository_is_made_before_a_push(amazon: tuple[Amazon, Scripted]) -> None:
    made, server = amazon
    made.answers["CreateRepository"] = [
        Reply.of({"repository": {}}), failing("RepositoryAlreadyExistsException"), failing("LimitExceededException"),
    ]  # fmt: skip
    listing = registry(server)
    listing.prepare("team/app", public=True)
    listing.prepare("team/app", public=True)
    assert made.asked == [("CreateRepository", {"repositoryName": "team/app"})] * 2
    with pytest.raises(AttemptFailed, match="LimitExceededException") as failed:
        listing.prepare("team/app", public=True)
    assert failed.value.fault is Fault.REFUSED


def test_a_tag_and_a_manifest_are_deleted_by_the_api(amazon: tuple[Amazon, Scripted]) -> None:
    made, server = amazon
    gone = {"failures": [{"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}]}
    why = "Requested image referenced by manifest list"
    held = {"failures": [{"failureCode": "ImageReferencedByManifestList", "failureReason": why}]}
    made.answers["BatchDeleteImage"] = [
        Reply.of({"failures": [], "imageIds": [{}]}), Reply.of(gone), failing("RepositoryNotFoundException"),
        Reply.of(held),
    ]  # fmt: skip
    end = registry(server).end
    end.delete_tag("app", TagName("v1"))
    end.delete_manifest("app", Digest(A))
    end.delete_tag("gone", TagName("v1"))
    assert [fields["imageIds"] for _, fields in made.asked[:2]] == [[{"imageTag": "v1"}], [{"imageDigest": A}]]
    with pytest.raises(AttemptFailed, match=why) as failed:
        end.delete_manifest("app", Digest(A))
    assert failed.value.fault is Fault.REFUSED


@pytest.mark.parametrize(
    ("host", "api"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "https://api.ecr.eu-west-1.amazonaws.com"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "https://api.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_api_is_told_by_the_registrys_host(host: str, api: str) -> None:
    made = connect(
        Access(kind=RegistryKind.ECR, url=f"https://{host}", access_key="a", access_secret=Secret("b")), GUARD
    )
    assert made.end.api._url == api  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "host", ["registry.example", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", "public.ecr.aws"]
)
def test_a_host_that_is_none_of_amazons_gets_no_signature(host: str) -> None:
    access = Access(kind=RegistryKind.ECR, url=f"https://{host}", access_key="a", access_secret=Secret("b"))
    with pytest.raises(AttemptFailed, match="is not ACCOUNT") as failed:
        connect(access, GUARD)
    assert failed.value.fault is Fault.REFUSED


def test_without_a_key_there_is_nothing_to_sign_with() -> None:
    url = "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    with pytest.raises(AttemptFailed, match="needs an access key"):
        connect(Access(kind=RegistryKind.ECR, url=url), GUARD)
