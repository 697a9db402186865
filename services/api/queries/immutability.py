"""Reading the rules that make tags immutable, and which tags they hold fast."""

from collections.abc import Collection, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, Text, bindparam, cast, func, select, text
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.orm import Session

from services.api.domain.immutability import Held, ImmutableRule, RuleDraft, immutable_among
from services.api.errors import NoSuchRule
from services.api.tables import immutable_rules, projects, repositories, tags
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering
from shared.names import Digest, RepositoryName
from shared.selector import Selector


def _patterns(selectors: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(func.jsonb_path_query_array(selectors, cast("$[*].pattern", JSONPATH)), Text)


FIELDS: Final[Fields] = {
    "id": Field(immutable_rules.c.id, Kind.INTEGER),
    # of repositories and tags, in their order
    "pattern": Field(_patterns(immutable_rules.c.repository_selectors) + _patterns(immutable_rules.c.tag_selectors)),
    "disabled": Field(immutable_rules.c.disabled, Kind.BOOLEAN),
    "creation_time": Field(immutable_rules.c.created_at, Kind.TIME),
    "update_time": Field(immutable_rules.c.updated_at, Kind.TIME),
}
_RULES: Final[Select[Any]] = select(
    immutable_rules.c.id,
    immutable_rules.c.project_id,
    immutable_rules.c.disabled,
    immutable_rules.c.repository_selectors,
    immutable_rules.c.tag_selectors,
)
_IN_FORCE: Final[Select[Any]] = _RULES.join(projects, projects.c.id == immutable_rules.c.project_id).where(
    projects.c.name == bindparam("project"), projects.c.deleted_at.is_(None), immutable_rules.c.disabled.is_(False)
)
_AT_ONCE: Final = 5_000
# what has passed the gate may not be in the catalogue yet
_TAGS_UNDER_WAY: Final = text(
    """
    SELECT DISTINCT reference FROM events.expected
    WHERE digest = :digest AND repository = :repository AND kind = 'put' AND state <> 'refused' AND reference <> digest
    """
)


def get_rule(session: Session, project_id: int, rule_id: int) -> ImmutableRule:
    """A rule of this very project. Raises NoSuchRule."""
    wanted = _RULES.where(immutable_rules.c.id == rule_id, immutable_rules.c.project_id == project_id)
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NoSuchRule
    return _read(row)


def list_rules(session: Session, project_id: int, listing: Listing) -> Page[ImmutableRule]:
    """A project's rules, in the order in which they were made."""
    statement = _RULES.where(immutable_rules.c.project_id == project_id, *conditions(listing.terms, FIELDS)).order_by(
        *ordering(listing.order, FIELDS, (immutable_rules.c.id.asc(),))
    )
    return fetch(session, statement, listing, _read)


def rules_of(session: Session, project: str) -> list[ImmutableRule]:
    """The rules that are in force in a project."""
    return [_read(row) for row in session.execute(_IN_FORCE, {"project": project})]


def immutable_tags(
    session: Session, repository: RepositoryName, names: Collection[str] | None = None
) -> frozenset[str]:
    """Which of these tags, or of all that the repository has, are immutable."""
    rules = rules_of(session, repository.project)
    if not rules:
        return frozenset()
    return frozenset(immutable_among(rules, repository, _tags(session, repository) if names is None else names))


def tags_under_way(session: Session, repository: RepositoryName, digest: Digest) -> list[str]:
    """The tags that a manifest was lately given by way of the gate, whether they name it still or not."""
    return list(session.scalars(_TAGS_UNDER_WAY, {"repository": repository.text, "digest": digest.text}))


def held_by(session: Session, project_id: int, draft: RuleDraft, *, first: int) -> Held:
    """What a rule would hold in a project if it were in force: how many tags, and the first by name."""
    rule = ImmutableRule(
        id=0,
        project_id=project_id,
        disabled=False,
        repository_selectors=draft.repository_selectors,
        tag_selectors=draft.tag_selectors,
    )
    everything = (
        select(repositories.c.name.label("repository"), tags.c.name.label("tag"))
        .join(tags, tags.c.repository_id == repositories.c.id)
        .where(repositories.c.project_id == project_id)
        .order_by(repositories.c.name, tags.c.name)
        .execution_options(yield_per=_AT_ONCE)
    )
    total, sample = 0, []
    for name, rows in groupby(session.execute(everything), key=attrgetter("repository")):
        repository = RepositoryName.parse(name)
        for row in rows:
            if rule.covers(repository, row.tag):
                total += 1
                if total <= first:
                    sample.append((repository, row.tag))
    return Held(total=total, first=tuple(sample))


def _tags(session: Session, repository: RepositoryName) -> list[str]:
    held = select(tags.c.name).join(repositories, repositories.c.id == tags.c.repository_id)
    return list(session.scalars(held.where(repositories.c.name == repository.text).order_by(tags.c.name)))


def _read(row: Row[Any]) -> ImmutableRule:
    return ImmutableRule(
        id=row.id,
        project_id=row.project_id,
        disabled=row.disabled,
        repository_selectors=_selectors(row.repository_selectors),
        tag_selectors=_selectors(row.tag_selectors),
    )


def _selectors(stored: Collection[Mapping[str, str]]) -> tuple[Selector, ...]:
    return tuple(Selector(**entry) for entry in stored)
