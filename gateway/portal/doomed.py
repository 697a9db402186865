"""What goes when artifacts are deleted, told beforehand: as the API's deletion decides it, from what the API lists.

It decides again when the deletion is asked for: nothing here is relied on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.portal.api import Api
from gateway.portal.images import OpenRepository, Shown, accessory_kind, kind_of, platform_of, platforms_of
from gateway.portal.pages.artifact import look_up
from gateway.portal.pages.repository import api_path
from gateway.portal.rendering import short_digest
from shared.registry.manifests import INDEX_TYPES

_DEPTH: Final = 4
"""Levels of children and accessories that are looked at; deeper ones are rare, and go or stay all the same."""
_CHUNK: Final = 100
_CHUNKS: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Companion:
    """A child or an accessory of an artifact that is to be deleted."""

    digest: str
    what: str
    tags: list[str]
    stays: str
    """Why it is not deleted too; empty where it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Doomed:
    """An artifact that was chosen to be deleted."""

    digest: str
    kind: str = ""
    platforms: list[str] = field(default_factory=list)
    size: int = 0
    tags: list[str] = field(default_factory=list)
    companions: list[Companion] = field(default_factory=list)
    left_out: str = ""
    """Why it cannot be deleted; empty where it can."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What happens to each of the chosen."""

    going: list[Doomed]
    """In the order in which they can be deleted: an index before what it refers to."""
    left: list[Doomed]
    all_indexes_known: bool
    """Whether every index of the repository was looked at; another one may need a child otherwise."""

    @property
    def lost_tags(self) -> int:
        """How many tags name nothing afterwards."""
        with_them = (each.tags for doomed in self.going for each in doomed.companions if not each.stays)
        return sum(len(doomed.tags) for doomed in self.going) + sum(map(len, with_them))

    @property
    def more(self) -> int:
        """How many artifacts go that were not chosen."""
        chosen = {doomed.digest for doomed in self.going}
        found = {each.digest for doomed in self.going for each in doomed.companions if not each.stays}
        return len(found - chosen)


class Foreseen:
    """The chosen artifacts of a repository with everything that hangs on them."""

    def __init__(self, api: Api, repository: OpenRepository, digests: Sequence[str]) -> None:
        self._chosen = list(dict.fromkeys(digests))
        self._known: dict[str, dict[str, Any]] = {}
        self._gather(api, repository)
        self._parents, self._all_indexes = _parents(api, repository)

    def preview(self) -> Preview:
        """What goes and what is left out: whoever is left out may hold others fast."""
        reasons: dict[str, str] = {}
        while True:
            found = {each: reason for each in self._chosen if (reason := self._reason(each, reasons))}
            if found == reasons:
                break
            reasons = found
        going = [each for each in self._chosen if each not in reasons]
        going.sort(key=self._depth)
        return Preview(
            going=[self._doomed(each, frozenset(going)) for each in going],
            left=[self._left(each, reason) for each, reason in reasons.items()],
            all_indexes_known=self._all_indexes,
        )

    def _gather(self, api: Api, repository: OpenRepository) -> None:
        level = self._chosen
        for _ in range(_DEPTH):
            found = look_up(api, repository, level, with_accessory=True, with_immutable_status=True)
            self._known |= found
            below = [digest for artifact in found.values() for digest, _ in _hanging(artifact)]
            level = [digest for digest in dict.fromkeys(below) if digest not in self._known]
            if not level:
                return

    def _reason(self, digest: str, left_out: dict[str, str]) -> str:
        """Why an artifact cannot be deleted; empty where it can."""
        artifact = self._known.get(digest)
        if artifact is None:
            return "It is not here any more."
        for parent in sorted(self._parents.get(digest, ())):
            if parent not in self._chosen or parent in left_out:
                return f"The index {short_digest(parent)} refers to it: delete that first."
        for name in _immutable(artifact):
            return f"Its tag {name} is immutable."
        for each in _accessories(artifact):
            for name in _immutable(self._known.get(each, {})):
                return f"The tag {name} of {short_digest(each)}, which is about it, is immutable."
        return ""

    def _depth(self, digest: str) -> int:
        """How many levels of indexes are above an artifact."""
        depth, level = 0, {digest}
        while level and depth < _DEPTH:
            level = {parent for each in level for parent in self._parents.get(each, ())}
            depth += bool(level)
        return depth

    def _doomed(self, digest: str, going: frozenset[str]) -> Doomed:
        artifact = self._known[digest]
        return Doomed(
            digest=digest, kind=kind_of(artifact), platforms=platforms_of(artifact), size=artifact["size"],
            tags=_tags(artifact), companions=list(self._companions(artifact, going, {digest})),
        )  # fmt: skip

    def _left(self, digest: str, reason: str) -> Doomed:
        artifact = self._known.get(digest)
        if artifact is None:
            return Doomed(digest=digest, left_out=reason)
        return Doomed(
            digest=digest, kind=kind_of(artifact), platforms=platforms_of(artifact), size=artifact["size"],
            tags=_tags(artifact), left_out=reason,
        )  # fmt: skip

    def _companions(self, artifact: Shown, going: frozenset[str], told: set[str]) -> Iterator[Companion]:
        """Children and accessories, and those of each that goes."""
        accessories = set(_accessories(artifact))
        for digest, what in _hanging(artifact):
            held = self._known.get(digest)
            if held is None or digest in told:
                continue
            told.add(digest)
            stays = "" if digest in accessories else self._need(held, going | told)
            yield Companion(digest=digest, what=what, tags=_tags(held), stays=stays)
            if not stays:
                yield from self._companions(held, going, told)

    def _need(self, child: Shown, going: frozenset[str] | set[str]) -> str:
        if child["digest"] in going and child["digest"] in self._chosen:
            return ""
        if child.get("tags"):
            return f"tagged {', '.join(_tags(child))}"
        others = sorted(self._parents.get(child["digest"], set()) - going)
        return f"the index {short_digest(others[0])} needs it" if others else ""


def _hanging(artifact: Shown) -> Iterator[tuple[str, str]]:
    """Children and accessories with what they are."""
    for child in artifact.get("references") or ():
        if child.get("child_id"):
            yield child["child_digest"], platform_of(child.get("platform") or {}) or "child"
    for accessory in artifact.get("accessories") or ():
        yield accessory["digest"], accessory_kind(accessory)


def _accessories(artifact: Shown) -> list[str]:
    return [each["digest"] for each in artifact.get("accessories") or ()]


def _tags(artifact: Shown) -> list[str]:
    return [tag["name"] for tag in artifact.get("tags") or ()]


def _immutable(artifact: Shown) -> list[str]:
    return [tag["name"] for tag in artifact.get("tags") or () if tag.get("immutable")]


def _parents(api: Api, repository: OpenRepository) -> tuple[dict[str, set[str]], bool]:
    """Which indexes of a repository refer to what, and whether all of them were looked at."""
    parents: dict[str, set[str]] = {}
    types = " ".join(sorted(INDEX_TYPES))
    for number in range(1, _CHUNKS + 1):
        found = api.listed(
            f"{api_path(repository)}/artifacts", page=number, page_size=_CHUNK, sort="id", with_tag=False,
            q=f"base=*,manifest_media_type={{{types}}}".replace("+", "%2B"),
        )  # fmt: skip
        for index in found.items:
            for child in index.get("references") or ():
                parents.setdefault(child["child_digest"], set()).add(index["digest"])
        if number * _CHUNK >= found.total:
            return parents, True
    return parents, False
