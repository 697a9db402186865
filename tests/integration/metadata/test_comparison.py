"""The full comparison: what nobody told of is found, told once, and the walk can be interrupted."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands import nightly
from services.api.commands.comparison import Comparison, Outcome, Pace
from services.api.errors import AlreadyComparing, StorageEmpty
from shared.events.definitions.artifact import Origin
from shared.names import RepositoryName, TagName
from tests.clients.images import make_image, make_index
from tests.integration.metadata.conftest import INSTANCE, Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer

NAME = "library/app"


def compare(catalogue: Catalogue, **options: bool) -> list[Outcome]:
    comparison = Comparison(catalogue.sessions, catalogue.client, instance_id=UUID(INSTANCE), origin=Origin.ADOPT)
    return list(comparison.run(comparison.names(**options)))


def test_what_the_registry_has_and_the_catalogue_lacks_is_added(catalogue: Catalogue, pusher: Pusher) -> None:
    index = make_index("many")
    pusher.push(NAME, "v1", index)
    pusher.push("library/other/deep", "v1", make_image("one"))
    outcomes = compare(catalogue)
    assert [(outcome.repository, outcome.added, outcome.tags_set) for outcome in outcomes] == [
        (NAME, 3, 1),
        ("library/other/deep", 1, 1),
    ]
    assert sorted(event["subject"] for event in catalogue.events()) == sorted(
        [f"{NAME}:v1", *(f"{NAME}@{image.digest}" for image in index.images), "library/other/deep:v1"]
    )
    assert {(event["actor"], event["data"]["origin"]) for event in catalogue.events()} == {("system:metadata", "adopt")}
    assert not any(outcome.changed for outcome in compare(catalogue))


def test_what_the_registry_has_no_more_is_removed_and_told(catalogue: Catalogue, pusher: Pusher) -> None:
    one, two = make_image("one"), make_image("two")
    pusher.push(NAME, "v1", one)
    pusher.push(NAME, "v2", two)
    catalogue.observe(NAME, "v1", "v2")
    pusher.delete(NAME, one.digest)
    pusher.push(NAME, "v2", make_image("three"))
    pusher.delete(NAME, two.digest)
    (outcome,) = compare(catalogue)
    assert (outcome.added, outcome.removed, outcome.tags_set, outcome.tags_removed) == (1, 2, 1, 1)
    assert set(catalogue.tags(NAME)) == {"v2"}
    assert len(catalogue.events("artifact.deleted")) == 2
    assert len(catalogue.events("tag.deleted")) == 1


def test_what_has_passed_the_gate_is_left_to_its_expectation(catalogue: Catalogue, pusher: Pusher) -> None:
    image, gone = make_image("one"), make_image("gone")
    pusher.push(NAME, "v1", gone)
    catalogue.observe(NAME, "v1")
    pusher.push(NAME, "v2", image)
    pusher.delete(NAME, gone.digest)
    catalogue.expect("put", NAME, "v2", image.digest, age=1)
    catalogue.expect("delete", NAME, gone.digest, gone.digest, age=1)
    compare(catalogue)
    assert catalogue.tags(NAME) == {"v2": image.digest}
    assert catalogue.events() == []


def test_a_storage_that_is_not_mounted_does_not_empty_the_catalogue(catalogue: Catalogue) -> None:
    catalogue.rows(
        "INSERT INTO core.repositories (project_id, name) VALUES (1, %s) RETURNING id", NAME
    )
    catalogue.rows(
        "INSERT INTO core.artifacts (project_id, repository_id, digest, type, media_type, manifest_media_type)"
        " SELECT 1, id, 'sha256:' || repeat('0', 64), 'IMAGE', '', '' FROM core.repositories RETURNING id"
    )
    catalogue.rows("UPDATE core.repositories SET artifact_count = 1 RETURNING id")
    catalogue.rows("UPDATE core.projects SET artifact_count = 1, repository_count = 1 RETURNING id")
    with pytest.raises(StorageEmpty, match="the registry holds no repository and the catalogue 1 artifacts"):
        compare(catalogue)
    assert len(catalogue.digests(NAME)) == 1
    compare(catalogue, accept_empty=True)
    assert catalogue.digests(NAME) == set()


def test_names_that_have_no_project_are_told_and_passed_over(catalogue: Catalogue, pusher: Pusher) -> None:
    pusher.push("toplevel", "v1", make_image("one"))
    pusher.push("ghost/app", "v1", make_image("one"))
    assert [(outcome.repository, outcome.skipped) for outcome in compare(catalogue)] == [
        ("ghost/app", "no project has that name"),
        ("toplevel", "its name has no project"),
    ]
    assert catalogue.events() == []


def test_what_cannot_be_read_keeps_nothing_else_from_being_compared(
    catalogue: Catalogue, pusher: Pusher, registry: RegistryServer
) -> None:
    images = {name: make_image(name) for name in ("broken", "fine", "known")}
    pusher.push(NAME, "known", images["known"])
    catalogue.observe(NAME, "known")
    for name, image in images.items():
        pusher.push(NAME, name, image)
    pusher.push("library/later", "v1", images["fine"])
    registry.lay_schema_1("library/old", "v1")
    registry.lose_content(images["broken"].digest)
    registry.lose_content(images["known"].digest)
    outcomes = {outcome.repository: outcome for outcome in compare(catalogue)}
    assert {name: [str(each) for each in outcome.unread] for name, outcome in outcomes.items()} == {
        NAME: [f"{NAME}:broken", f"{NAME}:known"],
        "library/later": [],
        "library/old": [f"library/old@{catalogue.client.resolve(RepositoryName('library/old'), TagName('v1'))}"],
    }
    assert catalogue.tags(NAME) == {name: images[name].digest for name in ("fine", "known")}
    assert set(catalogue.tags("library/later")) == {"v1"}
    assert catalogue.digests("library/old") == set()


def test_one_project_can_be_compared_alone(catalogue: Catalogue, pusher: Pusher) -> None:
    catalogue.add_project("other")
    for name in (NAME, "other/app"):
        pusher.push(name, "v1", make_image("one"))
    comparison = Comparison(catalogue.sessions, catalogue.client, instance_id=UUID(INSTANCE))
    assert comparison.names(project="other") == ["other/app"]


def test_the_pace_is_kept() -> None:
    slept: list[float] = []
    pace = Pace(100, sleep=slept.append)
    pace.keep(50, 0.0)
    pace.keep(50, time.monotonic())
    assert slept[0] == 0.0
    assert 0.3 < slept[1] <= 0.5


def test_only_one_comparison_runs_at_a_time(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        bind = session.get_bind().engine
    with nightly.only_comparison(bind), pytest.raises(AlreadyComparing), nightly.only_comparison(bind):
        pass
    with nightly.only_comparison(bind):
        pass


def test_a_night_that_another_process_has_ended_is_not_begun_again(sessions: sessionmaker[Session]) -> None:
    """Both have found it to be due; the second one waits its turn, and comes when the first one is done."""
    night = datetime(2026, 5, 1, 2, tzinfo=UTC)
    with sessions.begin() as session:
        assert nightly.is_due(session, night)
        assert nightly.resume(session, night) == ""
        nightly.finish(session, night)
    with sessions.begin() as session:
        assert nightly.resume(session, night) is None
        assert not nightly.is_due(session, night)


def test_an_interrupted_night_goes_on_where_it_stood(sessions: sessionmaker[Session]) -> None:
    night = datetime(2026, 5, 1, 2, tzinfo=UTC)
    with sessions.begin() as session:
        assert nightly.is_due(session, night)
        assert not nightly.is_due(session, night.replace(hour=12))
        assert nightly.resume(session, night) == ""
        nightly.advance(session, "library/m")
    with sessions.begin() as session:
        assert nightly.is_due(session, night.replace(hour=12))
        assert nightly.resume(session, night) == "library/m"
        nightly.finish(session, night)
        assert not nightly.is_due(session, night + timedelta(hours=1))
        assert nightly.is_due(session, night + timedelta(hours=23, minutes=30))
        assert not nightly.is_due(session, night + timedelta(hours=30))
        assert nightly.is_due(session, night + timedelta(hours=37))
