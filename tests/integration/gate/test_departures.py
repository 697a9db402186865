"""What a deletion frees, from its answer on: shown, and there for the next push."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from services.api.commands.quota import forget_departed, keep_counted
from shared.names import Digest, RepositoryName
from tests.clients.images import make_image
from tests.integration.gate.policed import Project, size_of
from tests.integration.registry_rig import Pusher


def test_a_deletion_is_shown_before_the_catalogue_follows_it(project: Project, pusher: Pusher) -> None:
    first = make_image("first", layers=2)
    second = make_image("second", base=first)
    for tag, image in (("first", first), ("second", second)):
        pusher.push(project.app, tag, image)
    project.catalogue("first", "second")
    assert pusher.delete(project.app, first.digest).status == 202
    # what the other one needs too stays
    assert (project.used(), project.shown()) == (size_of(first, second), size_of(second))
    assert pusher.delete(project.app, second.digest).status == 202
    assert (project.used(), project.shown()) == (size_of(first, second), 0)
    project.catalogue(digests=(first.digest, second.digest))
    assert (project.used(), project.shown(), project.departing()) == (0, 0, 0)


def test_a_deletion_gives_room_to_a_push_before_the_catalogue_follows_it(project: Project, pusher: Pusher) -> None:
    first = make_image("first", layers=2)
    second, third = make_image("second", base=first), make_image("third")
    project.limit(size_of(first, second))
    pusher.push(project.app, "first", first)
    project.catalogue("first")
    for blob in (*second.blobs, *third.blobs):
        pusher.push_blob(project.app, blob)
    assert pusher.delete(project.app, first.digest).status == 202
    assert pusher.put_manifest(project.app, "second", second.manifest).status == 201
    assert project.shown() == size_of(second)
    # the layers that the second image took over from the first are not free
    assert pusher.put_manifest(project.app, "third", third.manifest).status == 403
    project.catalogue("second", digests=(first.digest,))
    assert (project.used(), project.shown(), project.reserved()) == (size_of(second), size_of(second), 0)


def test_what_is_pushed_again_after_its_deletion_counts_all_along(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    assert pusher.delete(project.app, image.digest).status == 202
    assert project.shown() == 0
    pusher.push(project.app, "v2", image)
    assert (project.used(), project.shown()) == (size_of(image), size_of(image))
    # the catalogue sees both at once, and nothing that changed
    project.catalogue("v1", "v2", digests=(image.digest,))
    assert (project.used(), project.shown()) == (size_of(image), size_of(image))
    assert (project.reserved(), project.departing()) == (0, 0)


def test_a_deletion_that_a_push_has_undone_frees_no_room_when_its_answer_comes_late(
    project: Project, pusher: Pusher
) -> None:
    image, other = make_image("one"), make_image("two")
    project.limit(size_of(image, other) - 1)
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    assert pusher.delete(project.app, image.digest).status == 202
    pusher.push(project.app, "v1", image)
    with project.database.superuser() as connection:
        # both were under way at once: the push was asked for first, and answered first
        connection.execute(
            "UPDATE events.expected SET created_at = now() - interval '3 s', answered_at = now() - interval '1 s'"
            " WHERE repository = %s AND kind = 'put'",
            (project.app,),
        )
        connection.execute(
            "UPDATE events.expected SET created_at = now() - interval '2 s', answered_at = NULL"
            " WHERE repository = %s AND kind = 'delete'",
            (project.app,),
        )
    # told of either, the catalogue finds it there
    project.catalogue("v1", digests=(image.digest,))
    with project.database.superuser() as connection:
        connection.execute(
            "UPDATE events.expected SET answered_at = now() WHERE repository = %s AND kind = 'delete'", (project.app,)
        )
    assert (project.departing(), project.shown()) == (0, size_of(image))
    for blob in other.blobs:
        pusher.push_blob(project.app, blob)
    assert pusher.put_manifest(project.app, "v2", other.manifest).status == 403


def test_a_deletion_while_the_catalogue_asks_for_what_was_pushed_before_frees_room_at_once(
    project: Project, pusher: Pusher
) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    assert pusher.delete(project.app, image.digest).status == 202
    repository = RepositoryName(project.app)
    with project.sessions.begin() as session, project.database.superuser() as connection:
        # it asked the registry before the deletion, and writes down after it
        session.execute(text("SELECT now()"))
        connection.execute(
            "UPDATE events.expected SET answered_at = now() + interval '1 s' WHERE repository = %s AND kind = 'delete'",
            (project.app,),
        )
        keep_counted(session, repository, [Digest(image.digest)])
    assert (project.departing(), project.shown()) == (1, 0)


def test_what_is_catalogued_only_after_its_deletion_takes_no_room(project: Project, pusher: Pusher) -> None:
    first, second = make_image("first", layers=2), make_image("second")
    for tag, image in (("first", first), ("second", second)):
        pusher.push(project.app, tag, image)
    with project.database.superuser() as connection:
        project.catalogue("first", "second")
        held = connection.execute("SELECT id FROM core.artifacts WHERE digest = %s", (second.digest,)).fetchall()
        assert len(held) == 1
        # as if the catalogue had not come so far yet when the gate looked
        connection.execute("UPDATE core.artifacts SET digest = 'sha256:later' WHERE id = %s", held[0])
        connection.commit()
        assert pusher.delete(project.app, second.digest).status == 202
        connection.execute("UPDATE core.artifacts SET digest = %s WHERE id = %s", (second.digest, *held[0]))
        connection.commit()
    assert (project.used(), project.shown()) == (size_of(first, second), size_of(first))
    project.catalogue(digests=(second.digest,))
    assert (project.used(), project.shown()) == (size_of(first), size_of(first))


def test_a_deletion_frees_nothing_until_the_registry_has_done_it(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    assert pusher.delete(project.app, image.digest).status == 202
    with project.database.superuser() as connection:
        connection.execute(
            "UPDATE events.expected SET answered_at = NULL WHERE repository = %s AND kind = 'delete'", (project.app,)
        )
    assert (project.departing(), project.shown()) == (1, size_of(image))


def test_a_deletion_that_the_registry_refused_frees_nothing(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    # the catalogue has what the registry has lost
    client = project.registry.client(project.tokens)
    client.delete_manifest(RepositoryName(project.app), Digest(image.digest), user_agent="test")
    assert pusher.delete(project.app, image.digest).status == 404
    assert (project.departing(), project.shown()) == (0, size_of(image))


def test_what_the_catalogue_never_follows_is_counted_again_with_time(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    assert pusher.delete(project.app, image.digest).status == 202
    departed_at = datetime.now(UTC)
    with project.sessions.begin() as session:
        forget_departed(session, before=departed_at - timedelta(hours=1))
    assert project.departing() == 1
    with project.sessions.begin() as session:
        forget_departed(session, before=departed_at + timedelta(seconds=1))
    assert (project.departing(), project.shown()) == (0, size_of(image))
