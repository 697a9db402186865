"""A tag's deletion that dies on its way: it has not begun, or the reconciler finishes it and tells of it, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands import deletion
from services.api.commands.deletion import delete_tag
from services.api.commands.reconcile import settle_expected
from shared.errors import NotFound
from shared.events import EventContext
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from tests.clients.images import make_image
from tests.integration.metadata.conftest import INSTANCE, Catalogue
from tests.integration.registry_rig import Pusher

NAME = "library/app"
APP, V1 = RepositoryName(NAME), TagName("v1")

Sessions = sessionmaker[Session]


class Killed(BaseException):
    """The process is no more: no handler of ours runs."""


def kill(monkeypatch: pytest.MonkeyPatch, where: object, name: str, *, after: bool) -> None:
    """Let the process die as it calls a function, or as it comes back."""
    real: Callable[..., Any] = getattr(where, name)

    def die(*arguments: object, **named: object) -> None:
        if after:
            real(*arguments, **named)
        raise Killed

    monkeypatch.setattr(where, name, die)


def reconcile(catalogue: Catalogue) -> int:
    """A minute later."""
    catalogue.rows("UPDATE events.expected SET created_at = created_at - interval '90 s' RETURNING id")
    return settle_expected(catalogue.sessions, catalogue.client, instance_id=UUID(INSTANCE), now=datetime.now(UTC))


def stand_ins(catalogue: Catalogue) -> list[Digest]:
    """The manifests that were made to take a tag off."""
    return [Digest(digest) for (digest,) in catalogue.rows("SELECT digest FROM events.expected WHERE reference = 'v1'")]


@pytest.mark.parametrize("known", [True, False], ids=["catalogued", "just pushed"])
@pytest.mark.parametrize(
    ("at", "after", "deleted"),
    [
        ("untag", False, False),
        ("put_manifest", False, False),
        ("put_manifest", True, True),
        ("delete_manifest", False, True),
        ("delete_manifest", True, True),
        ("record", True, True),
        ("_announce", True, True),
    ],
)
def test_a_deletion_that_dies_is_finished_and_told_once_or_has_not_begun(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext,
    monkeypatch: pytest.MonkeyPatch, at: str, *, after: bool, deleted: bool, known: bool,
) -> None:  # fmt: skip
    image = make_image("one")
    for tag in ("v1", "v2"):
        pusher.push(NAME, tag, image)
    if known:
        catalogue.observe(NAME, "v1", "v2")
    with monkeypatch.context() as patch:
        kill(patch, deletion if at in {"record", "_announce"} else client, at, after=after)
        with pytest.raises(Killed):
            delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
    assert catalogue.events() == []
    assert catalogue.rows("SELECT state FROM events.expected") == [("open",)]
    catalogue.observe(NAME, "v1", "v2")
    assert reconcile(catalogue) == int(deleted)
    assert reconcile(catalogue) == 0
    assert client.tags(APP) == (["v2"] if deleted else ["v1", "v2"])
    assert client.resolve(APP, Digest(image.digest)) == Digest(image.digest)
    assert [client.resolve(APP, digest) for digest in stand_ins(catalogue)] == [None]
    assert catalogue.digests(NAME) == {image.digest}
    if not deleted:
        assert catalogue.events() == []
        delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
        assert client.tags(APP) == ["v2"]
    (event,) = catalogue.events()
    assert (event["type"], event["subject"]) == ("breakwater.tag.deleted.v1", f"{NAME}:v1")
    assert (event["actor"], event["data"]["digest"]) == ("alice", image.digest)
    assert catalogue.tags(NAME) == {"v2": image.digest}


def test_who_repeats_a_deletion_that_died_tells_of_it_and_the_reconciler_is_silent(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pusher.push(NAME, "v1", make_image("one"))
    with monkeypatch.context() as patch:
        kill(patch, deletion, "record", after=True)
        with pytest.raises(Killed):
            delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
    delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
    assert len(catalogue.events("tag.deleted")) == 1
    reconcile(catalogue)
    assert len(catalogue.events("tag.deleted")) == 1
    assert catalogue.rows("SELECT count(*) FROM events.expected WHERE state = 'open'") == [(0,)]


def test_a_push_after_a_deletion_that_died_keeps_its_tag_and_nothing_is_left_behind(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    old, new = make_image("old"), make_image("new")
    pusher.push(NAME, "v1", old)
    with monkeypatch.context() as patch:
        kill(patch, client, "put_manifest", after=True)
        with pytest.raises(Killed):
            delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
    pusher.push(NAME, "v1", new)
    catalogue.observe(NAME, "v1")
    reconcile(catalogue)
    assert client.resolve(APP, V1) == Digest(new.digest)
    assert [client.resolve(APP, digest) for digest in stand_ins(catalogue)] == [None]
    assert catalogue.tags(NAME) == {"v1": new.digest}


def test_a_registry_that_deletes_by_tag_is_sent_no_stand_in(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What 3.x does at the one request is done here by hand, as this test's registry may be 2.8."""
    image = make_image("one")
    pusher.push(NAME, "v1", image)
    real = RegistryClient.put_manifest
    sent = []

    def untag(repository: RepositoryName, tag: TagName, *, user_agent: str) -> bool:
        body = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
        real(client, repository, tag, body, "application/vnd.oci.image.index.v1+json", user_agent=user_agent)
        return client.delete_manifest(repository, Digest.of(body), user_agent=user_agent)

    monkeypatch.setattr(client, "untag", untag)
    monkeypatch.setattr(client, "put_manifest", lambda *_, **__: sent.append(True))
    delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
    assert sent == []
    assert client.tags(APP) == []
    assert len(catalogue.events("tag.deleted")) == 1


def test_a_tag_that_neither_registry_nor_catalogue_has_is_not_found(
    catalogue: Catalogue, pusher: Pusher, api_sessions: Sessions, client: RegistryClient, context: EventContext
) -> None:
    pusher.push(NAME, "v2", make_image("one"))
    with pytest.raises(NotFound):
        delete_tag(api_sessions, client, repository=APP, reference=None, tag=V1, context=context)
    assert catalogue.rows("SELECT count(*) FROM events.expected") == [(0,)]
    assert catalogue.events() == []
