"""Quotas where manifest writes pass: what does not fit is refused before the registry sees it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from services.api.commands.admission import Push, expect_push
from services.api.commands.quota import forget_reserved, recount
from services.api.commands.reconcile import PATIENCE, settle_expected
from services.api.queries.quota import MOST
from shared.db import engine, session_factory
from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import make_foreign, make_image
from tests.integration.gate.policed import Project, refusal, size_of
from tests.integration.registry_rig import Pusher


def test_what_fits_under_the_quota_is_pushed_and_counted(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    assert project.reserved() == 1
    project.catalogue("v1")
    assert (project.used(), project.reserved()) == (size_of(image), 0)


def test_what_the_registry_has_taken_is_shown_before_the_catalogue_counts_it(project: Project, pusher: Pusher) -> None:
    first = make_image("first", layers=2)
    second = make_image("second", base=first)
    project.limit(10 * size_of(first, second))
    pusher.push(project.app, "v1", first)
    assert (project.used(), project.shown()) == (0, size_of(first))
    pusher.push(f"{project.name}/other", "v1", second)
    assert (project.used(), project.shown()) == (0, size_of(first, second))
    project.catalogue("v1")
    assert (project.used(), project.shown()) == (size_of(first), size_of(first, second))


def test_what_is_deleted_before_it_is_counted_keeps_no_room(project: Project, pusher: Pusher) -> None:
    gone, stays = make_image("gone"), make_image("stays")
    project.limit(size_of(gone, stays))
    for tag, image in (("gone", gone), ("stays", stays)):
        pusher.push(project.app, tag, image)
    assert pusher.delete(project.app, gone.digest).status == 202
    assert project.shown() == size_of(stays)
    # nothing of this repository is in the catalogue yet
    project.catalogue(digests=(gone.digest,))
    assert (project.used(), project.reserved(), project.shown()) == (0, 1, size_of(stays))
    project.catalogue("stays", digests=(gone.digest,))
    assert (project.used(), project.reserved(), project.shown()) == (size_of(stays), 0, size_of(stays))


def test_a_push_on_its_way_keeps_its_room_where_the_registry_has_it_not_yet(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    assert pusher.delete(project.app, image.digest).status == 202
    with project.database.superuser() as connection:
        connection.execute("UPDATE events.expected SET answered_at = NULL WHERE repository = %s", (project.app,))
    project.catalogue(digests=(image.digest,))
    assert project.reserved() == 1


def test_room_that_is_kept_for_a_push_is_no_storage_until_the_registry_has_taken_it(
    project: Project, pusher: Pusher
) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    with project.database.superuser() as connection:
        connection.execute("UPDATE events.expected SET answered_at = NULL WHERE repository = %s", (project.app,))
    assert (project.reserved(), project.shown()) == (1, 0)


def test_what_does_not_fit_is_refused_and_leaves_nothing(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image) - 1)
    for blob in image.blobs:
        pusher.push_blob(project.app, blob)
    status, code, sentence = refusal(pusher.put_manifest(project.app, "v1", image.manifest))
    assert (status, code) == (403, "DENIED")
    assert "will exceed the configured upper limit of" in sentence
    assert project.reserved() == 0
    assert project.value("SELECT count(*) FROM events.expected WHERE repository = %s", project.app) == 0
    assert project.registry.client(project.tokens).tags(RepositoryName(project.app)) == []
    (event,) = project.events("quota.exceeded")
    assert event["detail"] == sentence


def test_a_blob_counts_once_in_a_project(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    pusher.push(project.app, "v2", image)
    pusher.push(f"{project.name}/other", "v1", image)
    project.catalogue("v1", "v2")
    pusher.push(project.app, "v3", image)
    assert project.used() == size_of(image)


def test_a_layer_that_is_elsewhere_takes_no_storage_here(project: Project, pusher: Pusher) -> None:
    image = make_foreign("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    assert (project.used(), project.reserved()) == (size_of(image), 0)


def test_a_descriptor_that_lies_about_its_size_reserves_what_the_registry_holds(
    project: Project, pusher: Pusher
) -> None:
    image = make_image("one")
    manifest = json.loads(image.manifest.content)
    for layer in manifest["layers"]:
        layer["size"] = 1
    lying = type(image.manifest).of(json.dumps(manifest).encode(), image.manifest.media_type)
    project.limit(sum(len(blob.content) for blob in image.blobs))
    for blob in image.blobs:
        pusher.push_blob(project.app, blob)
    assert pusher.put_manifest(project.app, "v1", lying).status == 403


def test_the_registry_is_asked_for_sizes_with_no_connection_in_hand(project: Project) -> None:
    project.limit(10_000)
    image = make_image("asked")
    bind = engine(project.database.settings("core"), pool_size=1)
    in_hand = []

    class Watched:
        """A registry that looks at the pool while it is asked."""

        def blob_size(self, _repository: RepositoryName, _digest: Digest) -> int:
            in_hand.append(bind.pool.checkedout())  # type: ignore[attr-defined]  # a QueuePool
            return 1

    push = Push(
        repository=RepositoryName(project.app), reference=TagName("v1"), body=image.manifest.content,
        media_type=image.manifest.media_type,
    )
    expect_push(session_factory(bind), Watched(), push, context=project.context)  # type: ignore[arg-type]  # no more of it is asked
    assert in_hand == [0] * len(image.blobs)
    bind.dispose()


def test_pushes_at_once_do_not_together_pass_the_limit(project: Project, pusher: Pusher) -> None:
    images = [make_image(f"image {number}") for number in range(12)]
    room = size_of(*images[:4])
    project.limit(room + size_of(images[0]) // 2)
    for image in images:
        for blob in image.blobs:
            pusher.push_blob(project.app, blob)
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda made: pusher.put_manifest(project.app, f"v{made[0]}", made[1].manifest), enumerate(images))
        )
    stored = [number for number, answer in enumerate(answers) if answer.status == 201]
    assert {answer.status for answer in answers} == {201, 403}
    project.catalogue(*(f"v{number}" for number in stored))
    assert project.used() <= room + size_of(images[0]) // 2
    assert project.used() == size_of(*(images[number] for number in stored))
    assert project.reserved() == 0


def test_room_for_a_push_that_the_registry_refused_is_given_back(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(10 * size_of(image))
    assert pusher.put_manifest(project.app, "v1", image.manifest).status == 400
    assert project.reserved() == 0


def test_room_for_a_push_whose_gate_died_is_given_back_within_the_reconcilers_patience(
    project: Project, pusher: Pusher
) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    for blob in image.blobs:
        pusher.push_blob(project.app, blob)
    client = project.registry.client(project.tokens)
    push = Push(
        repository=RepositoryName(project.app), reference=TagName("v1"), body=image.manifest.content,
        media_type=image.manifest.media_type,
    )
    bind = engine(project.database.settings("core"), pool_size=1)
    expect_push(session_factory(bind), client, push, context=project.context)
    bind.dispose()
    now, instance = datetime.now(UTC), project.database.settings("metadata").instance_id
    settle_expected(project.sessions, client, instance_id=instance, now=now)
    assert project.reserved() == 1
    settle_expected(project.sessions, client, instance_id=instance, now=now + PATIENCE)
    assert project.reserved() == 0


def test_room_for_what_never_could_be_catalogued_ends_with_time(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    reserved_at = datetime.now(UTC)
    with project.sessions.begin() as session:
        forget_reserved(session, before=reserved_at - timedelta(hours=1))
    assert project.reserved() == 1
    with project.sessions.begin() as session:
        forget_reserved(session, before=datetime.now(UTC) + timedelta(seconds=1))
    assert project.reserved() == 0


def test_a_deletion_frees_the_quota(project: Project, pusher: Pusher) -> None:
    one, two = make_image("one"), make_image("two")
    project.limit(max(size_of(one), size_of(two)))
    pusher.push(project.app, "v1", one)
    project.catalogue("v1")
    for blob in two.blobs:
        pusher.push_blob(project.app, blob)
    assert pusher.put_manifest(project.app, "v2", two.manifest).status == 403
    assert pusher.delete(project.app, one.digest).status == 202
    project.catalogue("v1", digests=(one.digest,))
    assert project.used() == 0
    assert pusher.put_manifest(project.app, "v2", two.manifest).status == 201


def test_without_a_limit_a_push_is_shown_at_once_too_and_the_registry_is_asked_nothing(
    project: Project, pusher: Pusher
) -> None:
    first = make_image("first", layers=2)
    second = make_image("second", base=first)
    pusher.push(project.app, "v1", first)
    pusher.push(f"{project.name}/other", "v1", second)
    pusher.push(f"{project.name}/other", "v2", make_foreign("one"))
    everything = size_of(first, second, make_foreign("one"))
    assert (project.used(), project.shown()) == (0, everything)
    project.catalogue("v1")
    assert (project.used(), project.shown(), project.reserved()) == (size_of(first), everything, 2)
    bind = engine(project.database.settings("core"), pool_size=1)
    image = make_image("unasked")
    push = Push(
        repository=RepositoryName(project.app), reference=TagName("v2"), body=image.manifest.content,
        media_type=image.manifest.media_type,
    )
    expect_push(session_factory(bind), None, push, context=project.context)  # type: ignore[arg-type]  # it is not asked
    bind.dispose()


def test_what_a_manifest_claims_without_measure_breaks_no_page(project: Project) -> None:
    image = make_image("one")
    manifest = json.loads(image.manifest.content)
    manifest["layers"] = [
        {**manifest["layers"][0], "size": 2**53, "digest": f"sha256:{number:064x}"} for number in range(600)
    ]
    claiming = Push(
        repository=RepositoryName(project.app), reference=TagName("v1"), body=json.dumps(manifest).encode(),
        media_type=image.manifest.media_type,
    )
    bind = engine(project.database.settings("core"), pool_size=1)
    expect_push(session_factory(bind), None, claiming, context=project.context)  # type: ignore[arg-type]  # it is not asked
    bind.dispose()
    with project.database.superuser() as connection:
        connection.execute("UPDATE events.expected SET answered_at = now() WHERE repository = %s", (project.app,))
    assert project.shown() == MOST


def test_the_quota_warns_once_when_a_push_comes_near_it(project: Project, pusher: Pusher) -> None:
    image, more = make_image("one"), make_image("two")
    project.limit(size_of(image) * 100 // 90)
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    for blob in more.blobs:
        pusher.push_blob(project.app, blob)
    pusher.put_manifest(project.app, "v2", more.manifest)
    (event,) = project.events("quota.warned")
    assert event["used"] == size_of(image)


def test_a_switched_off_quota_limits_nothing(project: Project, pusher: Pusher) -> None:
    project.limit(1)
    with project.database.superuser() as connection:
        connection.execute("INSERT INTO core.configuration (key, value) VALUES ('quota_per_project_enable', 'false')")
    try:
        pusher.push(project.app, "v1", make_image("one"))
    finally:
        with project.database.superuser() as connection:
            connection.execute("DELETE FROM core.configuration WHERE key = 'quota_per_project_enable'")


def test_a_sum_that_has_gone_wrong_is_counted_anew(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    project.catalogue("v1")
    with project.database.superuser() as connection:
        connection.execute(
            "UPDATE core.project_blobs SET uses = 7 WHERE project_id = (SELECT id FROM core.projects WHERE name = %s)",
            (project.name,),
        )
        connection.execute("UPDATE core.projects SET storage_used = 1 WHERE name = %s", (project.name,))
    with project.sessions.begin() as session:
        assert recount(session, project.name)
        assert not recount(session, project.name)
    assert project.used() == size_of(image)
    assert project.value("SELECT uses FROM core.project_blobs WHERE digest = %s", image.digest) == 1
