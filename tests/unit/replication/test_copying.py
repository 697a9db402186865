"""Copying compares first: what both sides are known to have the same is not read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from services.replication.ends import Content, Reference
from services.replication.errors import AttemptFailed
from services.replication.transfer.copy import Copier, Order
from services.replication.transfer.meter import Meter
from services.replication.transfer.shelf import Shelf
from shared.names import Digest
from tests.clients.images import make_image

IMAGE = make_image("copying", layers=1, layer_size=100)
ONE = Digest(IMAGE.digest)
OTHER = Digest("sha256:" + "b" * 64)


@dataclass
class Registry:
    """An end of which only manifests are asked; it notes the questions."""

    tags: dict[str, Digest]
    place: str = "somewhere"
    asked: list[str] = field(default_factory=list)
    put: list[str] = field(default_factory=list)

    def resolve(self, _repository: str, reference: Reference) -> Digest | None:
        self.asked.append(reference.text)
        return self.tags.get(reference.text)

    def manifest(self, _repository: str, reference: Reference) -> Content | None:
        self.asked.append(reference.text)
        if reference.text not in self.tags:
            return None
        return Content(digest=ONE, media_type=IMAGE.manifest.media_type, body=IMAGE.manifest.content)

    def put_blob(self, *_: object, **__: object) -> bool:
        return False

    def put_manifest(self, _repository: str, reference: Reference, _content: Content) -> None:
        self.put.append(reference.text)


def copier(source: Registry, target: Registry) -> Copier:
    ends: Any = {"source": source, "target": target}
    return Copier(
        **ends, shelf=Shelf(), parallel=lambda each: [function() for function in each] and None,
        referring=lambda *_: [], means=lambda _: True,
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
    source.has_blob = target.has_blob = lambda *_: True  # type: ignore[attr-defined]
    said: list[str] = []
    report = copier(source, target).copy(replace(order("v1", "v2", catalogued={}), dry_run=True), Meter(), said.append)
    assert report.summary(dry_run=True) == "1 would be copied, 1 there already"
    assert said == ["q/app:v2 is there already", f"q/app:v1 would become {ONE}"]
    assert target.put == []
