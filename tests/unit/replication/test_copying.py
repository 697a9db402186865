"""Copying compares first: what both sides are known to have the same is not read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from services.replication.ends import Content, Reference
from services.replication.errors import AttemptFailed
from services.replication.transfer.copy import Copier, Order
from services.replication.transfer.meter import Meter
from services.replication.transfer.shelf import Shelf
from shared.names import Digest
from shared.registry.manifests import FOREIGN_TYPES, Descriptor
from tests.clients.images import OCI_LAYER, Image, make_foreign, make_image

IMAGE = make_image("copying", layers=1, layer_size=100)
ONE = Digest(IMAGE.digest)
OTHER = Digest("sha256:" + "b" * 64)


@dataclass
class Registry:
    """An end of which only manifests are asked; it notes the questions."""

    tags: dict[str, Digest]
    image: Image = IMAGE
    place: str = "somewhere"
    blobs: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    put: list[str] = field(default_factory=list)
    intended: dict[str, Digest] = field(default_factory=dict)

    def resolve(self, _repository: str, reference: Reference) -> Digest | None:
        self.asked.append(reference.text)
        return self.tags.get(reference.text)

    def manifest(self, _repository: str, reference: Reference) -> Content | None:
        self.asked.append(reference.text)
        if reference.text not in self.tags:
            return None
        manifest = self.image.manifest
        return Content(digest=Digest(manifest.digest), media_type=manifest.media_type, body=manifest.content)

    def has_blob(self, _repository: str, digest: Digest) -> bool:
        return digest.text in self.blobs

    def put_blob(self, _repository: str, blob: Descriptor, *_: object, **__: object) -> bool:
        self.blobs.add(blob.digest.text)
        return False

    def put_manifest(self, _repository: str, reference: Reference, content: Content) -> None:
        assert isinstance(reference, Digest) or self.intended[reference.text] == content.digest
        self.put.append(reference.text)


def copier(source: Registry, target: Registry) -> Copier:
    ends: Any = {"source": source, "target": target}
    return Copier(
        **ends, shelf=Shelf(), parallel=lambda each: [function() for function in each] and None,
        referring=lambda *_: [], means=lambda _: True,
        intend=lambda tags, digest: target.intended.update(dict.fromkeys(tags, digest)),
    )  # fmt: skip


def order(*tags: str, catalogued: dict[str, Digest], override: bool = True) -> Order:
    return Order(source="p/app", target="q/app", references=tags, override=override, catalogued=catalogued)


def say(_line: str) -> None:
    """Nobody listens."""


def test_what_the_target_has_already_is_not_read_from_the_source() -> None:
    source, target = Registry({"v1": ONE}), Registry({"v1": ONE})
    report = copier(source, target).copy(order("v1", catalogued={"v1": ONE}), Meter(), say)
    assert report.present == {"v1": ONE}
    assert (source.asked, target.asked, target.put) == ([], ["v1"], [])


def test_where_they_differ_the_source_itself_is_asked_and_the_target_no_second_time() -> None:
    source, target = Registry({"v1": ONE}), Registry({"v1": OTHER})
    report = copier(source, target).copy(order("v1", catalogued={"v1": ONE}), Meter(), say)
    assert report.copied == {"v1": ONE}
    assert (source.asked, target.asked, target.put) == (["v1"], ["v1"], ["v1"])


def test_what_the_catalogue_says_wrongly_is_not_believed_where_the_target_differs_from_it() -> None:
    source, target = Registry({"v1": ONE}), Registry({"v1": ONE})
    report = copier(source, target).copy(order("v1", "v2", catalogued={"v1": OTHER, "v2": OTHER}), Meter(), say)
    assert report.present == {"v1": ONE}
    assert report.missing == ["v2"]
    assert target.put == []


def test_an_uncatalogued_tag_is_compared_as_both_registries_have_it() -> None:
    source, target = Registry({"v1": ONE}), Registry({"v1": OTHER})
    with pytest.raises(AttemptFailed):
        copier(source, target).copy(order("v1", catalogued={}, override=False), Meter(), say)
    assert (source.asked, target.asked, target.put) == (["v1"], ["v1"], [])


def test_a_dry_run_says_what_would_be_and_puts_nothing() -> None:
    source, target = Registry(tags={"v1": ONE, "v2": ONE}), Registry(tags={"v2": ONE})
    said: list[str] = []
    report = copier(source, target).copy(replace(order("v1", "v2", catalogued={}), dry_run=True), Meter(), said.append)
    assert report.summary(dry_run=True) == "1 would be copied, 1 there already"
    assert said == ["q/app:v2 is there already", f"q/app:v1 would become {ONE}"]
    assert (target.put, target.intended) == ([], {})


@pytest.mark.parametrize("layer_type", sorted(FOREIGN_TYPES))
@pytest.mark.parametrize("held", [True, False])
def test_a_foreign_layer_stays_where_it_is(layer_type: str, *, held: bool) -> None:
    image = make_foreign("abroad", layer_type=layer_type)
    source, target = Registry({"v1": Digest(image.digest)}, image), Registry({})
    source.blobs = set(named_in(image)) if held else set()
    meter = Meter()
    copier(source, target).copy(order("v1", catalogued={}), meter, say)
    assert target.blobs == {blob.digest for blob in image.blobs}
    assert target.put == ["v1"]
    assert meter.now.blobs_total == len(image.blobs)


@pytest.mark.parametrize("layer_type", sorted(FOREIGN_TYPES))
def test_one_that_does_not_say_where_it_is_goes_along(layer_type: str) -> None:
    image = make_foreign("here", layer_type=layer_type, urls=None)
    source, target = Registry({"v1": Digest(image.digest)}, image), Registry({})
    copier(source, target).copy(order("v1", catalogued={}), Meter(), say)
    assert target.blobs == set(named_in(image))


@pytest.mark.parametrize("held", [True, False])
def test_any_other_layer_that_is_elsewhere_too_goes_along_where_the_source_has_it(*, held: bool) -> None:
    image = make_foreign("both", layer_type=OCI_LAYER)
    source, target = Registry({"v1": Digest(image.digest)}, image), Registry({})
    source.blobs = set(named_in(image)) if held else set()
    copier(source, target).copy(order("v1", catalogued={}), Meter(), say)
    assert target.blobs == (set(named_in(image)) if held else {blob.digest for blob in image.blobs})


def named_in(image: Image) -> list[str]:
    """The blobs that an image's manifest names."""
    content = json.loads(image.manifest.content)
    return [part["digest"] for part in (content["config"], *content["layers"])]
