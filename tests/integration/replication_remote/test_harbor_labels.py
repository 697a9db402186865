"""Labels on a Harbor: a server that keeps them as Harbor's swagger says, and looks for names by a part of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.replication.domain.registry import RegistryKind
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Label
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters import harbor_labels
from shared.names import Digest
from tests.clients.scripted import Reply, Request, Scripted, scripted
from tests.integration.remote_rig import catalogue

DIGEST = Digest.of(b"artifact")
ARTIFACT = f"/projects/library/repositories/a%252Fapp/artifacts/{DIGEST}"
REPOSITORY = "library/a/app"
STABLE = Label(name="stable", color="#00ff00", description="may be used")
PLAIN = Label(name="plain")


@dataclass
class Harbor:
    """Its project has the number 7."""

    labels: dict[int, dict[str, Any]] = field(default_factory=dict)
    borne: list[int] = field(default_factory=list)
    uncatalogued: int = 0
    """So many times the artifact is asked for before it is there."""
    overtaken: bool = False
    """Somebody else makes a label just before us."""
    refusals: dict[str, Reply] = field(default_factory=dict)
    server: Scripted = field(init=False)

    def keep(self, name: str, *, borne: bool = False, **more: Any) -> int:  # noqa: ANN401
        number = len(self.labels) + 1
        self.labels[number] = {"id": number, "name": name, "scope": "p", "project_id": 7} | more
        if borne:
            self.borne.append(number)
        return number

    def answer(self, request: Request) -> Reply:
        for line, reply in self.refusals.items():
            if request.line.startswith(line):
                return reply
        path = request.path.removeprefix("/api/v2.0")
        content = json.loads(request.body) if request.body else None
        match request.method, path:
            case "GET", each if each == ARTIFACT:
                return self._artifact()
            case "POST", each if each == f"{ARTIFACT}/labels":
                return self._attach(content)
            case "GET", "/labels":
                return self._list(request)
            case "POST", "/labels":
                return self._make(content)
        return Reply.refusing(404, "NOT_FOUND", f"{path} not found")

    def _artifact(self) -> Reply:
        if self.uncatalogued:
            self.uncatalogued -= 1
            return Reply.refusing(404, "NOT_FOUND", "artifact not found")
        labels = [self.labels[number] for number in self.borne]
        return Reply.of({"digest": DIGEST.text, "project_id": 7, "labels": labels or None})

    def _attach(self, content: dict[str, int]) -> Reply:
        if content["id"] in self.borne:
            return Reply.refusing(409, "CONFLICT", "label is already added")
        assert content["id"] in self.labels
        self.borne.append(content["id"])
        return Reply(status=200)

    def _list(self, request: Request) -> Reply:
        assert (request.query["scope"], request.query["project_id"]) == (["p"], ["7"])
        part = request.query["name"][0]
        found = [each for each in self.labels.values() if part in each["name"] and each["scope"] == "p"]
        return Reply.of(found)

    def _make(self, content: dict[str, Any]) -> Reply:
        if self.overtaken:
            self.keep(content["name"])
        if content["name"] in {each["name"] for each in self.labels.values() if each["scope"] == "p"}:
            return Reply.refusing(409, "CONFLICT", "label exists")
        self.keep(**content)
        return Reply(status=201, headers={"Location": f"/api/v2.0/labels/{len(self.labels)}"})

    @property
    def names(self) -> list[str]:
        return [self.labels[number]["name"] for number in self.borne]

    def asked(self, method: str) -> list[str]:
        return [line for line in self.server.lines if line.startswith(method)]


@pytest.fixture
def harbor() -> Iterator[Harbor]:
    made = Harbor()
    with scripted(made.answer) as server:
        made.server = server
        yield made


@pytest.fixture
def target(harbor: Harbor) -> Catalogue:
    return catalogue(harbor.server.url, RegistryKind.HARBOR, access_key="robot$copier", access_secret="canary")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harbor_labels, "PAUSES", (0.01, 0.01))


def test_a_label_is_made_in_the_project_with_its_color_and_put_on_the_artifact(
    harbor: Harbor, target: Catalogue
) -> None:
    assert target.label(REPOSITORY, DIGEST, [STABLE, PLAIN]) == ["stable", "plain"]
    made = [{name: value for name, value in each.items() if name != "id"} for each in harbor.labels.values()]
    assert made == [
        {"name": "stable", "color": "#00ff00", "description": "may be used", "scope": "p", "project_id": 7},
        {"name": "plain", "description": "", "scope": "p", "project_id": 7},
    ]
    assert harbor.names == ["stable", "plain"]


def test_what_the_artifact_bears_already_costs_one_question(harbor: Harbor, target: Catalogue) -> None:
    harbor.keep("stable", borne=True, scope="g")
    assert target.label(REPOSITORY, DIGEST, [STABLE]) == []
    assert harbor.server.lines == [f"GET /api/v2.0{ARTIFACT}?with_label=true"]


def test_a_label_of_the_project_is_used_as_it_is_and_one_whose_name_holds_it_is_not(
    harbor: Harbor, target: Catalogue
) -> None:
    harbor.keep("unstable")
    harbor.keep("stable", color="#ff0000")
    assert target.label(REPOSITORY, DIGEST, [STABLE]) == ["stable"]
    assert harbor.borne == [2]
    assert harbor.labels[2]["color"] == "#ff0000"
    assert harbor.asked("POST") == [f"POST /api/v2.0{ARTIFACT}/labels"]


def test_what_the_source_does_not_bear_stays_on(harbor: Harbor, target: Catalogue) -> None:
    harbor.keep("theirs", borne=True)
    target.label(REPOSITORY, DIGEST, [STABLE])
    assert harbor.names == ["theirs", "stable"]
    assert harbor.asked("DELETE") == []


def test_a_label_that_another_makes_at_the_same_time_is_used(harbor: Harbor, target: Catalogue) -> None:
    harbor.overtaken = True
    assert target.label(REPOSITORY, DIGEST, [STABLE]) == ["stable"]
    assert [each["name"] for each in harbor.labels.values()] == ["stable"]


def test_a_label_that_another_has_put_there_meanwhile_is_no_fault(harbor: Harbor, target: Catalogue) -> None:
    harbor.keep("stable")
    harbor.refusals[f"POST /api/v2.0{ARTIFACT}/labels"] = Reply.refusing(409, "CONFLICT", "label is already added")
    target.label(REPOSITORY, DIGEST, [STABLE])
    assert len(harbor.asked("POST")) == 1


def test_the_catalogue_of_the_target_is_waited_for(harbor: Harbor, target: Catalogue) -> None:
    harbor.uncatalogued = 2
    assert target.label(REPOSITORY, DIGEST, [STABLE]) == ["stable"]


def test_a_catalogue_that_does_not_follow_is_told_and_tried_again_later(harbor: Harbor, target: Catalogue) -> None:
    harbor.uncatalogued = 3
    with pytest.raises(AttemptFailed, match="not in the target's catalogue yet") as failed:
        target.label(REPOSITORY, DIGEST, [STABLE])
    assert failed.value.fault.passes
    assert harbor.labels == {}


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (f"GET /api/v2.0{ARTIFACT}", "the labels of library/a/app@sha256:"),
        ("GET /api/v2.0/labels", "the list of labels was answered"),
        ("POST /api/v2.0/labels", "the creation of the label stable was answered"),
        (f"POST /api/v2.0{ARTIFACT}/labels", "the label stable on library/a/app@sha256:"),
    ],
)
def test_a_refusal_is_told_with_what_was_asked(harbor: Harbor, target: Catalogue, refused: str, told: str) -> None:
    harbor.refusals[refused] = Reply.refusing(403, "FORBIDDEN", "robots may not")
    with pytest.raises(AttemptFailed, match="robots may not") as failed:
        target.label(REPOSITORY, DIGEST, [STABLE])
    assert failed.value.fault is Fault.DENIED
    assert told in failed.value.sentence
    assert "canary" not in failed.value.sentence
    assert harbor.borne == []


def test_a_plain_registry_knows_no_labels(harbor: Harbor) -> None:
    plain = catalogue(harbor.server.url, RegistryKind.DOCKER_REGISTRY)
    with pytest.raises(AttemptFailed, match="knows no labels"):
        plain.label(REPOSITORY, DIGEST, [STABLE])
