"""Retention policies on a Harbor, by its API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.replication.domain.registry import RegistryKind
from services.replication.domain.retention import NOTHING, Placed, Retention
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue
from services.replication.errors import AttemptFailed
from tests.clients.retaining import RetainingHarbor, retaining_harbor, rule
from tests.clients.scripted import Reply
from tests.integration.remote_rig import catalogue

API = "/api/v2.0"
NIGHTLY = Retention(rules=(rule(number=3),), cron="0 0 2 * * *")


@pytest.fixture
def harbor() -> Iterator[RetainingHarbor]:
    with retaining_harbor() as made:
        yield made


@pytest.fixture
def target(harbor: RetainingHarbor) -> Catalogue:
    return catalogue(harbor.server.url, RegistryKind.HARBOR, access_key="robot$copier", access_secret="canary")


def test_a_project_without_one_is_asked_for_once(harbor: RetainingHarbor, target: Catalogue) -> None:
    assert target.retention("p") == Placed(project_id=7)
    assert harbor.server.lines == [f"GET {API}/projects/p"]


def test_one_is_made_changed_and_emptied_and_none_is_deleted(harbor: RetainingHarbor, target: Catalogue) -> None:
    assert target.put_retention("p", target.retention("p"), NIGHTLY) == 1
    made = target.retention("p")
    assert (made.number, made.retention.cron, made.references) == (1, "0 0 2 * * *", {"job_id": 1})
    assert (harbor.rules_of("p"), harbor.cron_of("p")) == ([rule(number=3)], "0 0 2 * * *")
    other = Retention(rules=(rule(number=5), rule("always", None)))
    assert target.put_retention("p", made, other) == 1
    assert (harbor.rules_of("p"), harbor.cron_of("p")) == ([*other.rules], "")
    assert target.put_retention("p", target.retention("p"), NOTHING) == 1
    assert harbor.rules_of("p") == []
    assert harbor.writes() == [f"POST {API}/retentions", f"PUT {API}/retentions/1", f"PUT {API}/retentions/1"]


def test_a_project_may_be_called_by_a_number(harbor: RetainingHarbor, target: Catalogue) -> None:
    harbor.project("2024", number=12)
    assert target.retention("2024") == Placed(project_id=12)


def test_a_number_that_outlived_its_policy_is_one_without_rules(harbor: RetainingHarbor, target: Catalogue) -> None:
    harbor.projects["p"]["metadata"]["retention_id"] = "4"
    assert target.retention("p") == Placed(project_id=7, number=4)


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (f"GET {API}/projects/p", "the project p was answered"),
        (f"GET {API}/retentions/1", "the retention policy of p was answered"),
        (f"PUT {API}/retentions/1", "the change of the retention policy of p was answered"),
    ],
)
def test_a_refusal_is_told_with_what_was_asked(
    harbor: RetainingHarbor, target: Catalogue, refused: str, told: str
) -> None:
    harbor.by_hand("p", rule())
    harbor.refusals[refused] = Reply.refusing(403, "FORBIDDEN", "robots may not")
    with pytest.raises(AttemptFailed, match="robots may not") as failed:
        target.put_retention("p", target.retention("p"), NIGHTLY)
    assert failed.value.fault is Fault.DENIED
    assert told in failed.value.sentence
    assert "canary" not in failed.value.sentence
    assert harbor.rules_of("p") == [rule()]


def test_where_somebody_was_quicker_theirs_stays(harbor: RetainingHarbor, target: Catalogue) -> None:
    before = target.retention("p")
    harbor.by_hand("p", rule(number=9))
    with pytest.raises(AttemptFailed, match="already has retention policy") as failed:
        target.put_retention("p", before, NIGHTLY)
    assert failed.value.fault is Fault.REFUSED
    assert harbor.rules_of("p") == [rule(number=9)]


def test_an_answer_in_no_known_form_is_told(harbor: RetainingHarbor, target: Catalogue) -> None:
    for line, reply in (("projects/p", Reply.of([])), ("projects/p", Reply.of({"name": "p"}))):
        harbor.refusals = {f"GET {API}/{line}": reply}
        with pytest.raises(AttemptFailed, match="the project p") as failed:
            target.retention("p")
        assert failed.value.fault is Fault.SERVER_ERROR
    harbor.refusals = {f"POST {API}/retentions": Reply(status=201)}
    with pytest.raises(AttemptFailed, match="its number not told"):
        target.put_retention("p", target.retention("p"), NIGHTLY)


def test_a_plain_registry_knows_no_retention(harbor: RetainingHarbor) -> None:
    plain = catalogue(harbor.server.url, RegistryKind.DOCKER_REGISTRY)
    with pytest.raises(AttemptFailed, match="knows no retention"):
        plain.retention("p")
    with pytest.raises(AttemptFailed, match="knows no retention"):
        plain.put_retention("p", Placed(project_id=7), NIGHTLY)
