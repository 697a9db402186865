"""What a batch of events asks the metadata service to look at."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from services.api.domain.hints import hints_of
from shared.events import Actor, ActorKind, Envelope, Event
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled, ArtifactPushed
from shared.events.definitions.project import ProjectDeleted
from shared.events.definitions.tag import TagDeleted
from shared.names import Digest, RepositoryName, TagName

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
APP = RepositoryName("library/app")
ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


def envelope(event: Event, minutes: int = 0) -> Envelope:
    return Envelope(
        id=uuid4(), source="/breakwater/x", time=NOON + timedelta(minutes=minutes), subject=event.subject,
        actor=Actor(kind=ActorKind.USER, name="alice"), event=event, sequence=1, request_id=None, address=None,
        user_agent=None, traceparent=None,
    )  # fmt: skip


def artifact(**changes: object) -> dict[str, Any]:
    return {"project": "library", "repository": "library/app", "digest": ONE.text} | changes


def test_events_are_sorted_by_repository_with_their_first_time() -> None:
    hints = hints_of(
        [
            envelope(ArtifactPushed(**artifact(tag="v1"))),
            envelope(ArtifactPushed(**artifact(tag="v1", digest=TWO.text)), 1),
            envelope(ArtifactPushed(**artifact(tag="v2")), 2),
            envelope(ArtifactPushed(**artifact(repository="library/other")), 3),
        ]
    )
    hint = hints.repositories[APP]
    assert hint.digests == {ONE: NOON, TWO: NOON + timedelta(minutes=1)}
    assert hint.tags == {TagName("v1"): NOON, TagName("v2"): NOON + timedelta(minutes=2)}
    assert list(hints.repositories) == [APP, RepositoryName("library/other")]


def test_a_deletion_is_a_hint_like_a_push() -> None:
    hints = hints_of(
        [
            envelope(ArtifactDeleted(**artifact(tag="v1"))),
            envelope(TagDeleted(project="library", repository="library/app", tag="v2")),
        ]
    )
    assert set(hints.repositories[APP].digests) == {ONE}
    assert set(hints.repositories[APP].tags) == {TagName("v2")}


def test_pulls_are_counted_unless_they_do_not_count() -> None:
    counted = envelope(ArtifactPulled(**artifact(tag="v1")))
    uncounted = envelope(ArtifactPulled(**artifact(counted=False)))
    hints = hints_of([counted, uncounted])
    assert [(pull.event_id, pull.tag) for pull in hints.pulls] == [(counted.id, TagName("v1"))]
    assert hints.repositories == {}


def test_other_events_say_nothing_about_the_registry() -> None:
    hints = hints_of([envelope(ProjectDeleted(project="library", project_id=1))])
    assert (hints.repositories, hints.pulls) == ({}, [])
