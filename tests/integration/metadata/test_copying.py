"""An artifact copied from repository to repository."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.copying import copy_artifact
from services.api.errors import NoSuchProject
from shared.errors import NotFound
from shared.events import EventContext
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from tests.clients.images import make_image, make_index
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher

SOURCE, TARGET = RepositoryName("library/app"), RepositoryName("team/copy")

Sessions = sessionmaker[Session]


def test_an_index_is_copied_with_its_children_blobs_and_tags(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    catalogue.add_project("team")
    index = make_index("many")
    for tag in ("v1", "v2"):
        pusher.push(SOURCE.text, tag, index)
    catalogue.observe(SOURCE.text, "v1", "v2")
    for _ in range(2):
        digest = copy_artifact(
            api_sessions, client, source=SOURCE, reference=TagName("v1"), target=TARGET, context=context
        )
        assert digest == Digest(index.digest)
    assert catalogue.tags(TARGET.text) == {"v1": index.digest, "v2": index.digest}
    assert catalogue.digests(TARGET.text, listed=True) == {index.digest}
    for image in index.images:
        for blob in image.blobs:
            assert client.blob_size(TARGET, Digest(blob.digest)) == len(blob.content)
    assert {event["actor"] for event in catalogue.events()} == {"alice"}
    assert len(catalogue.events("artifact.pushed")) == 3 + 2
    assert catalogue.rows("SELECT DISTINCT state, settled_by FROM events.expected") == [("settled", "gate")]


def test_a_copy_onto_itself_is_no_push(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    image = make_image("one")
    pusher.push(SOURCE.text, "v1", image)
    catalogue.observe(SOURCE.text, "v1")
    digest = copy_artifact(
        api_sessions, client, source=SOURCE, reference=Digest(image.digest), target=SOURCE, context=context
    )
    assert digest == Digest(image.digest)
    assert catalogue.tags(SOURCE.text) == {"v1": image.digest}
    assert catalogue.events() == []
    assert catalogue.rows("SELECT count(*) FROM events.expected") == [(0,)]


@pytest.mark.parametrize(
    ("source", "target", "refusal"),
    [("library/none", "library/copy", NotFound), ("library/app", "ghost/copy", NoSuchProject)],
)
def test_what_cannot_be_copied_leaves_nothing(
    catalogue: Catalogue,
    pusher: Pusher,
    api_sessions: Sessions,
    client: RegistryClient,
    context: EventContext,
    source: str,
    target: str,
    refusal: type[Exception],
) -> None:
    pusher.push(SOURCE.text, "v1", make_image("one"))
    catalogue.observe(SOURCE.text, "v1")
    wanted = RepositoryName(target)
    with pytest.raises(refusal):
        copy_artifact(
            api_sessions, client, source=RepositoryName(source), reference=TagName("v1"), target=wanted, context=context
        )
    assert client.tags(wanted) == []
    assert catalogue.events() == []
