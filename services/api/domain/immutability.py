"""Immutable tags: rules of a project that say which tags of which repositories stay what they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.names import RepositoryName
from shared.selector import REPOSITORY_DECORATIONS, TAG_DECORATIONS, Selector, check_selectors

ACTION: Final = "immutable"
TEMPLATE: Final = "immutable_template"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImmutableRule:
    """A rule that is kept."""

    id: int
    project_id: int
    disabled: bool
    repository_selectors: tuple[Selector, ...]
    tag_selectors: tuple[Selector, ...]

    def covers(self, repository: RepositoryName, tag: str) -> bool:
        """Whether the rule, if it is in force, holds for this tag; a repository is named without its project."""
        if self.disabled:
            return False
        name = repository.rest
        return all(selector.takes(name) for selector in self.repository_selectors) and all(
            selector.takes(tag) for selector in self.tag_selectors
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleDraft:
    """A rule as it is asked for."""

    repository_selectors: tuple[Selector, ...]
    tag_selectors: tuple[Selector, ...]
    disabled: bool = False

    def checked(self) -> "RuleDraft":
        """The draft itself. Raises BadRequest where it cannot be a rule."""
        check_selectors(self.repository_selectors, REPOSITORY_DECORATIONS, "scope_selectors.repository")
        check_selectors(self.tag_selectors, TAG_DECORATIONS, "tag_selectors")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What a rule would hold."""

    total: int
    first: tuple[tuple[RepositoryName, str], ...]
    """Repositories and tags, in the order of their names."""


def immutable_among(rules: Sequence[ImmutableRule], repository: RepositoryName, tags: Iterable[str]) -> list[str]:
    """Those of the tags that some rule holds fast."""
    return [tag for tag in tags if any(rule.covers(repository, tag) for rule in rules)]
