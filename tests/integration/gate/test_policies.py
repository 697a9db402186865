"""Quotas and immutable tags where manifest writes pass: what is refused is refused before the registry sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.admission import Push, expect_push
from services.api.commands.deletion import delete_artifact
from services.api.commands.observation import observe
from services.api.commands.quota import forget_reserved, recount
from services.api.commands.reconcile import PATIENCE, settle_expected
from services.api.errors import TagIsImmutable
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, EventContext
from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import make_image
from tests.integration.conftest import Database
from tests.integration.registry_rig import Answer, Pusher, RegistryServer, Tokens

_numbers = count(1)


@dataclass
class Project:
    """A project of one test, and how it is set up behind the API's back."""

    name: str
    database: Database
    sessions: sessionmaker[Session]
    registry: RegistryServer
    tokens: Tokens

    @property
    def app(self) -> str:
        return f"{self.name}/app"

    @property
    def context(self) -> EventContext:
        actor = Actor(kind=ActorKind.USER, name="alice")
        return EventContext(instance_id=self.database.settings("metadata").instance_id, actor=actor)

    def limit(self, size: int) -> None:
        self._execute("UPDATE core.projects SET storage_limit = %s WHERE name = %s", size, self.name)

    def hold_fast(self, pattern: str) -> None:
        self._execute(
            "INSERT INTO core.immutable_rules (project_id, repository_selectors, tag_selectors)"
            " SELECT id, %s, %s FROM core.projects WHERE name = %s",
            json.dumps([{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}]),
            json.dumps([{"kind": "doublestar", "decoration": "matches", "pattern": pattern, "extras": ""}]),
            self.name,
        )

    def catalogue(self, *tags: str, digests: tuple[str, ...] = ()) -> None:
        """What metadata does when it is told."""
        now = datetime.now(UTC)
        with self.sessions.begin() as session:
            observe(
                session,
                self.registry.client(self.tokens),
                RepositoryName.parse(self.app),
                digests={Digest(digest): now for digest in digests},
                tags={TagName(tag): now for tag in tags},
            )

    def used(self) -> int:
        return int(self.value("SELECT storage_used FROM core.projects WHERE name = %s", self.name))

    def reserved(self) -> int:
        return int(
            self.value(
                "SELECT count(*) FROM core.quota_reservations r JOIN core.projects p ON p.id = r.project_id"
                " WHERE p.name = %s",
                self.name,
            )
        )

    def events(self, noun: str) -> list[dict[str, object]]:
        with self.database.superuser() as connection:
            rows = connection.execute(
                "SELECT body->'data' FROM events.outbox WHERE type LIKE %s AND project = %s ORDER BY id",
                (f"breakwater.{noun}.%", self.name),
            ).fetchall()
        return [row[0] for row in rows]

    def value(self, query: str, *values: object) -> object:
        with self.database.superuser() as connection:
            row = connection.execute(query.encode(), values).fetchone()
        return row and row[0]

    def _execute(self, query: str, *values: object) -> None:
        with self.database.superuser() as connection:
            connection.execute(query.encode(), values)


@pytest.fixture
def project(database: Database, registry: RegistryServer, tokens: Tokens) -> Iterator[Project]:
    bind = engine(database.settings("metadata"), pool_size=4)
    name = f"team{next(_numbers)}"
    with database.superuser() as connection:
        connection.execute("INSERT INTO core.projects (name, owner_id) VALUES (%s, 1)", (name,))
    yield Project(name, database, session_factory(bind), registry, tokens)
    bind.dispose()


def refusal(answer: Answer) -> tuple[int, str, str]:
    error = json.loads(answer.body)["errors"][0]
    return answer.status, error["code"], error["message"]


def size_of(*images: object) -> int:
    """Bytes of all blobs and manifests of some images, each once."""
    parts = {blob.digest: len(blob.content) for image in images for blob in (*image.blobs, image.manifest)}  # type: ignore[attr-defined]  # images of one kind
    return sum(parts.values())


def test_what_fits_under_the_quota_is_pushed_and_counted(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    project.limit(size_of(image))
    pusher.push(project.app, "v1", image)
    assert project.reserved() == 1
    project.catalogue("v1")
    assert (project.used(), project.reserved()) == (size_of(image), 0)


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


@pytest.mark.parametrize("catalogued", [True, False], ids=["catalogued", "not catalogued yet"])
def test_an_immutable_tag_cannot_be_moved(project: Project, pusher: Pusher, *, catalogued: bool) -> None:
    project.hold_fast("v*")
    image, other = make_image("one"), make_image("two")
    pusher.push(project.app, "v1", image)
    if catalogued:
        project.catalogue("v1")
    for blob in other.blobs:
        pusher.push_blob(project.app, blob)
    with project.database.superuser() as connection:
        connection.execute("UPDATE events.expected SET state = 'settled' WHERE repository = %s", (project.app,))
    status, code, sentence = refusal(pusher.put_manifest(project.app, "v1", other.manifest))
    assert (status, code) == (403, "DENIED")
    assert sentence == f"the tag {project.app}:v1 is immutable: it can be neither moved nor deleted"
    assert project.registry.client(project.tokens).resolve(
        RepositoryName(project.app), TagName("v1")
    ) == Digest(image.digest)
    assert project.value(
        "SELECT array_agg(state ORDER BY created_at) FROM events.expected WHERE repository = %s", project.app
    ) == ["settled", "refused"]


def test_the_same_content_may_be_pushed_to_an_immutable_tag_again(project: Project, pusher: Pusher) -> None:
    project.hold_fast("**")
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    pusher.push(project.app, "v1", image)


def test_a_tag_that_no_rule_names_moves(project: Project, pusher: Pusher) -> None:
    project.hold_fast("v*")
    pusher.push(project.app, "latest", make_image("one"))
    pusher.push(project.app, "latest", make_image("two"))


def test_of_two_first_pushes_to_an_immutable_tag_one_is_taken(project: Project, pusher: Pusher) -> None:
    project.hold_fast("v*")
    images = [make_image(f"image {number}") for number in range(6)]
    for image in images:
        for blob in image.blobs:
            pusher.push_blob(project.app, blob)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda image: pusher.put_manifest(project.app, "v1", image.manifest), images))
    assert sorted(answer.status for answer in answers if answer.status == 201) == [201]
    taken = images[[answer.status for answer in answers].index(201)]
    held = project.registry.client(project.tokens).resolve(RepositoryName(project.app), TagName("v1"))
    assert held == Digest(taken.digest)


@pytest.mark.parametrize("catalogued", [True, False], ids=["catalogued", "not catalogued yet"])
def test_a_manifest_with_an_immutable_tag_cannot_be_deleted(
    project: Project, pusher: Pusher, *, catalogued: bool
) -> None:
    project.hold_fast("v*")
    image = make_image("one")
    for tag in ("latest", "v1"):
        pusher.push(project.app, tag, image)
    if catalogued:
        project.catalogue("latest", "v1")
    status, code, sentence = refusal(pusher.delete(project.app, image.digest))
    assert (status, code) == (403, "DENIED")
    assert f"{project.app}:v1 is immutable" in sentence
    assert set(project.registry.client(project.tokens).tags(RepositoryName(project.app))) == {"latest", "v1"}


def test_an_artifact_with_an_immutable_tag_that_is_not_catalogued_yet_cannot_be_deleted(
    project: Project, pusher: Pusher
) -> None:
    project.hold_fast("v*")
    image = make_image("one")
    for tag in ("latest", "v1"):
        pusher.push(project.app, tag, image)
    project.catalogue("latest")
    registry = project.registry.client(project.tokens)
    with pytest.raises(TagIsImmutable, match=f"{project.app}:v1"):
        delete_artifact(
            project.sessions, registry, repository=RepositoryName(project.app), reference=TagName("latest"),
            context=project.context,
        )
    assert registry.resolve(RepositoryName(project.app), TagName("v1")) == Digest(image.digest)
    deletions = "SELECT count(*) FROM events.expected WHERE kind = 'delete' AND repository = %s"
    assert project.value(deletions, project.app) == 0


@pytest.mark.parametrize("catalogued", [True, False], ids=["catalogued", "not catalogued yet"])
def test_an_immutable_tag_cannot_be_taken_off_by_its_name(
    project: Project, pusher: Pusher, *, catalogued: bool
) -> None:
    project.hold_fast("v*")
    image = make_image("one")
    for tag in ("latest", "v1"):
        pusher.push(project.app, tag, image)
    if catalogued:
        project.catalogue("latest", "v1")
    status, code, sentence = refusal(pusher.delete(project.app, "v1"))
    assert (status, code) == (403, "DENIED")
    assert f"{project.app}:v1 is immutable" in sentence
    assert pusher.delete(project.app, "latest").status == 202
    assert project.registry.client(project.tokens).tags(RepositoryName(project.app)) == ["v1"]


def test_a_manifest_whose_tag_has_moved_away_can_be_deleted(project: Project, pusher: Pusher) -> None:
    image = make_image("one")
    pusher.push(project.app, "v1", image)
    pusher.push(project.app, "v1", make_image("two"))
    project.hold_fast("v*")
    assert pusher.delete(project.app, image.digest).status == 202


def test_policy_is_told_to_nobody_without_a_token(project: Project, pusher: Pusher) -> None:
    project.hold_fast("**")
    project.limit(1)
    answer = pusher.put_manifest(project.app, "v1", make_image("one").manifest, token="not.a.token")
    assert answer.status == 401
    assert b"immutable" not in answer.body
    assert b"exceed" not in answer.body
