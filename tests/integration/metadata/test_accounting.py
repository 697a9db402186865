"""Sizes and counters against a model: whatever is pushed, tagged, moved and deleted in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.catalogue import lock_repository, record
from services.api.domain.observation import Found, TagState, Truth
from shared.names import Digest, RepositoryName, TagName
from shared.registry.manifests import OCI_IMAGE_CONFIG, OCI_INDEX, OCI_MANIFEST, Descriptor, Index, Manifest, Stored
from tests.integration.conftest import Database

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BLOBS = {Digest.of(f"blob {number}".encode()): 10**number for number in range(6)}
MANIFEST_SIZE = 7


@dataclass
class Repository:
    """What a repository holds, said as simply as possible."""

    images: dict[Digest, frozenset[Digest]] = field(default_factory=dict)
    indexes: dict[Digest, tuple[Digest, ...]] = field(default_factory=dict)
    tags: dict[TagName, Digest] = field(default_factory=dict)

    @property
    def all(self) -> set[Digest]:
        return self.images.keys() | self.indexes.keys()

    @property
    def listed(self) -> set[Digest]:
        children = {child for listed in self.indexes.values() for child in listed}
        return {digest for digest in self.all if digest in self.tags.values() or digest not in children}

    @property
    def blobs(self) -> dict[Digest, int]:
        used = dict.fromkeys(self.all, MANIFEST_SIZE)
        for parts in self.images.values():
            used |= {part: BLOBS[part] for part in parts}
        return used


def image(name: str, parts: frozenset[Digest]) -> Found:
    digest = Digest.of(name.encode())
    config, *layers = sorted(parts, key=str)
    described = [Descriptor(media_type=OCI_IMAGE_CONFIG, digest=part, size=BLOBS[part]) for part in (config, *layers)]
    manifest = Manifest(
        media_type=OCI_MANIFEST,
        digest=digest,
        length=MANIFEST_SIZE,
        config=described[0],
        layers=tuple(described[1:]),
        artifact_type="",
        annotations={},
        subject=None,
    )
    return _found(manifest, manifest.size, {**{part: BLOBS[part] for part in parts}, digest: MANIFEST_SIZE})


def index(name: str, children: tuple[Digest, ...]) -> Found:
    digest = Digest.of(name.encode())
    manifest = Index(
        media_type=OCI_INDEX,
        digest=digest,
        length=MANIFEST_SIZE,
        children=tuple(Descriptor(media_type=OCI_MANIFEST, digest=child, size=1) for child in children),
        artifact_type="",
        annotations={},
        subject=None,
    )
    return _found(manifest, 0, {digest: MANIFEST_SIZE})


def _found(manifest: Stored, size: int, blobs: dict[Digest, int]) -> Found:
    return Found(manifest=manifest, size=size, blobs=blobs, extra_attrs={}, pushed_at=NOW)


repositories = st.sampled_from(["one/a", "one/b", "two/a"])
tag_names = st.sampled_from([TagName(name) for name in ("v1", "v2", "v3")])
numbers = st.integers(0, 4)
parts = st.frozensets(st.sampled_from(sorted(BLOBS, key=str)), min_size=1, max_size=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("image"), repositories, numbers, parts),
        st.tuples(st.just("index"), repositories, numbers, st.sets(numbers, min_size=1, max_size=3)),
        st.tuples(st.just("tag"), repositories, tag_names, numbers),
        st.tuples(st.just("untag"), repositories, tag_names, st.none()),
        st.tuples(st.just("delete"), repositories, st.sampled_from(["image", "index"]), numbers),
    ),
    max_size=40,
)


def apply(model: Repository, name: str, step: tuple[str, object, object]) -> Truth:
    """Change the model, and say what would be observed of it."""
    repository = RepositoryName(name)
    match step:
        case ("image", number, frozenset() as chosen):
            # content is named by its bytes: the same name always has the same parts
            digest = Digest.of(f"{name} image {number}".encode())
            held = model.images.setdefault(digest, chosen)
            return Truth(repository=repository, found=(image(f"{name} image {number}", held),))
        case ("index", number, set() as chosen):
            digest = Digest.of(f"{name} index {number}".encode())
            wanted = tuple(Digest.of(f"{name} image {each}".encode()) for each in sorted(chosen))
            children = tuple(child for child in wanted if child in model.images)
            held = model.indexes.setdefault(digest, children)
            return Truth(repository=repository, found=(index(f"{name} index {number}", held),))
        case ("tag", TagName() as tag, number):
            digest = Digest.of(f"{name} image {number}".encode())
            if digest not in model.images:
                return Truth(repository=repository)
            model.tags[tag] = digest
            return Truth(repository=repository, tags={tag: TagState(digest=digest, since=NOW)})
        case ("untag", TagName() as tag, None):
            model.tags.pop(tag, None)
            return Truth(repository=repository, tags={tag: TagState(digest=None, since=NOW)})
        case ("delete", kind, number):
            digest = Digest.of(f"{name} {kind} {number}".encode())
            model.images.pop(digest, None)
            model.indexes.pop(digest, None)
            model.tags = {tag: held for tag, held in model.tags.items() if held != digest}
            # an index that is deleted and pushed again may have other children
            return Truth(repository=repository, gone=frozenset({digest}))
    raise AssertionError(step)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_counters_agree_with_the_model(
    database: Database, sessions: sessionmaker[Session], steps: list[tuple[str, str, object, object]]
) -> None:
    with database.superuser() as connection:
        connection.execute("TRUNCATE core.repositories, core.artifacts, core.project_blobs, core.tags CASCADE")
        connection.execute("DELETE FROM core.projects WHERE name IN ('one', 'two')")
        connection.execute("INSERT INTO core.projects (name, owner_id) VALUES ('one', 1), ('two', 1)")
    model: dict[str, Repository] = {}
    for kind, name, first, second in steps:
        repository = model.setdefault(name, Repository())
        truth = apply(repository, name, (kind, first, second))
        with sessions.begin() as session:
            lock_repository(session, truth.repository)
            record(session, truth)
    with database.superuser() as connection:
        for name, repository in model.items():
            rows = connection.execute(
                "SELECT a.digest, a.listed FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id"
                " WHERE r.name = %s", (name,),
            ).fetchall()  # fmt: skip
            assert {digest for digest, _ in rows} == {digest.text for digest in repository.all}
            assert {digest for digest, listed in rows if listed} == {digest.text for digest in repository.listed}
            counted = connection.execute(
                "SELECT artifact_count FROM core.repositories WHERE name = %s", (name,)
            ).fetchall()
            assert [count for (count,) in counted] in ([], [len(repository.listed)])
        for project in ("one", "two"):
            mine = [repository for name, repository in model.items() if name.startswith(f"{project}/")]
            blobs: dict[Digest, int] = {}
            for repository in mine:
                blobs |= repository.blobs
            row = connection.execute(
                "SELECT artifact_count, storage_used FROM core.projects WHERE name = %s", (project,)
            ).fetchone()
            assert row == (sum(len(repository.listed) for repository in mine), sum(blobs.values()))
