"""What a manifest names, and that none of it may be garbage."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from compose.registryctl.checking import Doomed, Named, check
from compose.registryctl.storage import Folder, Manifest, NotRead, Stopped

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
OF_EACH_KIND: dict[str, dict[str, Any]] = {
    "an image's configuration": {"config": {"digest": OTHER}, "layers": []},
    "a layer": {"config": {"digest": MANIFEST}, "layers": [{"digest": MANIFEST}, {"digest": OTHER}]},
    "a child of an index": {"manifests": [{"digest": OTHER}]},
    "an artifact's blob": {"blobs": [{"digest": OTHER}]},
    "a layer of schema 1": {"fsLayers": [{"blobSum": OTHER}]},
}


def manifest(content: object, repository: str = "p/app") -> Manifest:
    return Manifest(repository, MANIFEST, content if isinstance(content, bytes) else json.dumps(content).encode())


def doomed(*blobs: str, links: tuple[tuple[str, str], ...] = ()) -> Doomed:
    return Doomed(blobs=set(blobs), links=set(links))


@pytest.mark.parametrize("kind", OF_EACH_KIND)
def test_what_a_manifest_is_made_of_is_no_garbage(kind: str) -> None:
    check(doomed(f"sha256:{'c' * 64}"), [manifest(OF_EACH_KIND[kind])])
    with pytest.raises(Named) as refusal:
        check(doomed(OTHER), [manifest(OF_EACH_KIND[kind])])
    assert str(refusal.value) == (
        f"the registry's program would take {OTHER}, which p/app@{MANIFEST} names: nothing was taken"
    )


def test_a_manifest_that_a_repository_holds_is_no_garbage_itself() -> None:
    with pytest.raises(Named):
        check(doomed(MANIFEST), [manifest({"manifests": []})])


def test_what_is_only_pointed_at_may_go() -> None:
    check(doomed(OTHER), [manifest({"config": {"digest": MANIFEST}, "layers": None, "subject": {"digest": OTHER}})])


def test_the_link_of_a_layer_is_kept_where_a_manifest_of_the_same_repository_names_it() -> None:
    named = manifest(OF_EACH_KIND["a layer"])
    check(doomed(links=(("p/other", OTHER),)), [named])
    with pytest.raises(Named):
        check(doomed(links=(("p/app", OTHER),)), [named])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"layers": [null]}', '{"layers": 5}', '{"config": {}}', '{"config": "x"}',
     '{"manifests": [{}]}', f'{{"x": {"[" * 5000}{"]" * 5000}}}'],
    ids=lambda content: content[:20],
)  # fmt: skip
def test_all_that_an_unreadable_one_speaks_of_is_taken_for_named(content: str) -> None:
    check(doomed(OTHER), [manifest(content.encode())])
    with pytest.raises(Named):
        check(doomed(OTHER), [manifest(f'{content} "{OTHER}"\xff'.encode("latin-1"))])


def revision(storage: Path, repository: str, digits: str) -> Path:
    """A manifest's link; returns where its content belongs."""
    root = storage / "docker/registry/v2"
    link = root / "repositories" / repository / "_manifests/revisions/sha256" / digits / "link"
    link.parent.mkdir(parents=True)
    link.write_text(f"sha256:{digits}")
    data = root / "blobs/sha256" / digits[:2] / digits / "data"
    data.parent.mkdir(parents=True, exist_ok=True)
    return data


def test_the_manifests_of_a_disk_are_read_in_each_repository_wherever_it_lies(tmp_path: Path) -> None:
    for repository, digit in (("p/app", "a"), ("p/app/below", "b"), ("p/app/below/further", "c")):
        revision(tmp_path, repository, digit * 64).write_bytes(digit.encode())
    (tmp_path / "docker/registry/v2/repositories/p/begun/_uploads").mkdir(parents=True)
    folder = Folder(str(tmp_path), threading.Event())
    assert sorted(folder.manifests()) == [
        ("p/app", f"sha256:{'a' * 64}", b"a"), ("p/app/below", f"sha256:{'b' * 64}", b"b"),
        ("p/app/below/further", f"sha256:{'c' * 64}", b"c"),
    ]  # fmt: skip
    folder.complete()
    folder.complete()
    repositories = tmp_path / "docker/registry/v2/repositories"
    having = {str(path.parent.relative_to(repositories)) for path in repositories.rglob("_layers")}
    assert having == {"p/app", "p/app/below", "p/app/below/further"}


def test_what_a_killed_registry_has_left_beside_a_link_is_no_manifest(tmp_path: Path) -> None:
    """distribution 3.1 writes links and manifests beside their place, and moves them there."""
    revision(tmp_path, "p/app", "a" * 64).write_bytes(b"a")
    data = revision(tmp_path, "p/app", "b" * 64)
    data.with_name("data.1.tmp").write_bytes(b"b")
    link = tmp_path / f"docker/registry/v2/repositories/p/app/_manifests/revisions/sha256/{'b' * 64}/link"
    link.rename(link.with_name("link.1.tmp"))
    assert list(Folder(str(tmp_path), threading.Event()).manifests()) == [("p/app", f"sha256:{'a' * 64}", b"a")]


def test_a_manifest_without_its_content_and_a_change_of_mind_end_the_reading(tmp_path: Path) -> None:
    revision(tmp_path, "p/app", "a" * 64)
    with pytest.raises(NotRead, match=r"p/app@sha256:a+ cannot be read in the storage: nothing was taken"):
        list(Folder(str(tmp_path), threading.Event()).manifests())
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        list(Folder(str(tmp_path), stop).manifests())
