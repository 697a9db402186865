"""What is about an artifact: not listed beside it, gone with it, and listed again where it is all that is left."""

from __future__ import annotations

from importlib import import_module
from itertools import permutations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.deletion import delete_artifact
from services.api.errors import TagIsImmutable
from shared.events import EventContext
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from tests.clients.images import make_image, make_index, make_referrer
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher

NAME = "library/app"
APP = RepositoryName(NAME)

Sessions = sessionmaker[Session]


def counts(catalogue: Catalogue) -> set[int]:
    """What the repository, the project and the rows themselves say of how many artifacts are listed."""
    [row] = catalogue.rows(
        "SELECT r.artifact_count, p.artifact_count, (SELECT count(*) FROM core.artifacts a WHERE a.listed)"
        " FROM core.repositories r JOIN core.projects p ON p.id = r.project_id WHERE r.name = %s",
        NAME,
    )
    return set(row)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_they_come_only_the_subject_is_listed(
    catalogue: Catalogue, pusher: Pusher, order: tuple[int, ...]
) -> None:
    image = make_image("subject")
    signature = make_referrer(image.manifest)
    of_signature = make_referrer(signature.manifest)
    for made in (image, signature, of_signature):
        pusher.push(NAME, made.digest, made)
    for number in order:
        catalogue.observe(NAME, (image, signature, of_signature)[number].digest)
    assert catalogue.digests(NAME, listed=True) == {image.digest}
    assert counts(catalogue) == {1}


def test_a_tag_does_not_bring_an_accessory_among_the_artifacts(catalogue: Catalogue, pusher: Pusher) -> None:
    image = make_image("subject")
    signature = make_referrer(image.manifest)
    pusher.push(NAME, "v1", image)
    pusher.push(NAME, "v1.sig", signature)
    catalogue.observe(NAME, "v1", "v1.sig")
    assert catalogue.digests(NAME, listed=True) == {image.digest}
    assert counts(catalogue) == {1}


def test_an_accessory_whose_subject_is_gone_is_listed_again(
    catalogue: Catalogue, pusher: Pusher, client: RegistryClient
) -> None:
    image = make_image("subject")
    signature = make_referrer(image.manifest)
    for made in (image, signature):
        pusher.push(NAME, made.digest, made)
        catalogue.observe(NAME, made.digest)
    client.delete_manifest(APP, Digest(image.digest), user_agent="tests/1")
    catalogue.observe(NAME, image.digest)
    assert catalogue.digests(NAME, listed=True) == {signature.digest}
    assert counts(catalogue) == {1}
    pusher.push(NAME, image.digest, image)
    catalogue.observe(NAME, image.digest)
    assert catalogue.digests(NAME, listed=True) == {image.digest}
    assert counts(catalogue) == {1}


def test_what_is_about_an_artifact_is_deleted_with_it(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    index = make_index("subject")
    child = index.images[0]
    signature, of_child = make_referrer(index.manifest), make_referrer(child.manifest)
    tagged = make_referrer(index.manifest, annotations={"another": "one"})
    of_signature = make_referrer(signature.manifest)
    other = make_image("other")
    pusher.push(NAME, "v1", index)
    pusher.push(NAME, "v1.sbom", tagged)
    pusher.push(NAME, "other", other)
    for made in (signature, of_child, of_signature):
        pusher.push(NAME, made.digest, made)
        catalogue.observe(NAME, made.digest)
    catalogue.observe(NAME, "v1", "v1.sbom", "other")
    assert counts(catalogue) == {2}
    delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert catalogue.digests(NAME) == {other.digest}
    assert counts(catalogue) == {1}
    gone = {made.digest for made in (index, *index.images, signature, tagged, of_child, of_signature)}
    assert {digest for digest in gone if client.resolve(APP, Digest(digest)) is not None} == set()
    told = [event["data"]["digest"] for event in catalogue.events("artifact.deleted")]
    assert sorted(told) == sorted(gone)
    assert set(catalogue.rows("SELECT DISTINCT state FROM events.expected")) == {("settled",)}


def test_nothing_goes_where_an_accessory_is_held_fast_by_its_tag(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("subject")
    signature = make_referrer(image.manifest)
    pusher.push(NAME, "v1", image)
    pusher.push(NAME, "v1.sig", signature)
    catalogue.observe(NAME, "v1", "v1.sig")
    catalogue.rows(
        "INSERT INTO core.immutable_rules (project_id, repository_selectors, tag_selectors)"
        """ SELECT id, '[{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**", "extras": ""}]',"""
        """ '[{"kind": "doublestar", "decoration": "matches", "pattern": "*.sig", "extras": ""}]'"""
        " FROM core.projects WHERE name = 'library' RETURNING id"
    )
    with pytest.raises(TagIsImmutable, match=r"v1\.sig"):
        delete_artifact(api_sessions, client, repository=APP, reference=TagName("v1"), context=context)
    assert sorted(client.tags(APP)) == ["v1", "v1.sig"]
    assert catalogue.rows("SELECT 1 FROM events.expected") == []


def test_those_catalogued_before_are_left_out_by_the_migration_and_come_back_by_its_undoing(
    catalogue: Catalogue, pusher: Pusher
) -> None:
    migration = import_module("shared.migrations.versions.0105_accessories")
    image = make_image("subject")
    tagged, untagged = make_referrer(image.manifest), make_referrer(image.manifest, annotations={"another": "one"})
    alone = make_referrer(make_image("never pushed").manifest)
    for tag, made in (("v1", image), ("v1.sig", tagged), (untagged.digest, untagged), (alone.digest, alone)):
        pusher.push(NAME, tag, made)
        catalogue.observe(NAME, tag)
    assert counts(catalogue) == {2}
    with catalogue.database.superuser() as connection:
        connection.execute(migration.CHANGE.format(listed="true", sign="+").encode())
        assert counts(catalogue) == {4}
        connection.execute(migration.CHANGE.format(listed="false", sign="-").encode())
    assert catalogue.digests(NAME, listed=True) == {image.digest, alone.digest}
    assert counts(catalogue) == {2}
