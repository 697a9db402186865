"""Pulls are counted once each, whatever is delivered how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.pulls import count_pulls, forget_seen, unknown_artifacts
from services.api.domain.hints import Pull
from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import make_image
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher

NAME = "library/app"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def pull(digest: str, *, tag: str | None = None, minutes: int = 0, event_id: UUID | None = None) -> Pull:
    return Pull(
        event_id=event_id or uuid4(),
        repository=RepositoryName(NAME),
        digest=Digest(digest),
        tag=TagName(tag) if tag else None,
        time=NOON + timedelta(minutes=minutes),
    )


def count(catalogue: Catalogue, *pulls: Pull) -> int:
    with catalogue.sessions.begin() as session:
        return count_pulls(session, pulls)


def test_each_pull_counts_once(catalogue: Catalogue, pusher: Pusher) -> None:
    one, two = make_image("one"), make_image("two")
    pusher.push(NAME, "v1", one)
    pusher.push(NAME, "v2", two)
    catalogue.observe(NAME, "v1", "v2")
    first = pull(one.digest, tag="v1", minutes=5)
    assert count(catalogue, first, pull(one.digest, minutes=3), pull(two.digest, minutes=1), first) == 3
    assert count(catalogue, first, pull(one.digest, tag="v1", minutes=2)) == 1
    assert catalogue.rows("SELECT pull_count FROM core.repositories") == [(4,)]
    rows = catalogue.rows("SELECT digest, pull_count, pulled_at FROM core.artifacts")
    assert {digest: (pulls, at) for digest, pulls, at in rows} == {
        one.digest: (3, NOON + timedelta(minutes=5)),
        two.digest: (1, NOON + timedelta(minutes=1)),
    }
    tags = dict(catalogue.rows("SELECT name, pulled_at FROM core.tags"))
    assert tags == {"v1": NOON + timedelta(minutes=5), "v2": None}


def test_what_the_catalogue_does_not_know_is_named(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    missing = Digest.of(b"missing")
    with catalogue.sessions() as session:
        pulls = [pull(image.digest), pull(missing.text)]
        assert len(unknown_artifacts(session, pulls)) == 2
    catalogue.observe(NAME, "v1")
    with catalogue.sessions() as session:
        assert unknown_artifacts(session, pulls) == {(RepositoryName(NAME), missing)}


def test_events_counted_long_ago_are_forgotten(catalogue: Catalogue, sessions: sessionmaker[Session]) -> None:
    count(catalogue, pull(Digest.of(b"x").text))
    with sessions.begin() as session:
        assert forget_seen(session, before=datetime.now(UTC) - timedelta(days=1)) == 0
        assert forget_seen(session, before=datetime.now(UTC) + timedelta(days=1)) == 1
