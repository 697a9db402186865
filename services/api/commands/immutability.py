"""Changing the rules that make tags immutable, and refusing what they forbid."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.api.commands.holding import hold_project
from services.api.domain.immutability import ImmutableRule, RuleDraft
from services.api.errors import NoSuchRule, RuleExists, TagIsImmutable
from services.api.queries.immutability import immutable_tags, rules_of, tags_under_way
from services.api.tables import artifacts, immutable_rules, repositories, tags
from shared.events import EventContext, emit
from shared.events.definitions.project import ProjectUpdated
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient

_CHANGED: Final = "immutable_tag_rules"
_LOCK_CLASS: Final = 0x4258
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:class, hashtext(:name))")


def create_rule(
    session: Session,
    draft: RuleDraft,
    *,
    project_id: int,
    project: str,
    public: bool,
    now: datetime,
    context: EventContext,
) -> int:
    """Make a rule; returns its number. Raises BadRequest, NoSuchProject, RuleExists."""
    hold_project(session, project_id)
    rule_id: int | None = session.scalar(
        upsert(immutable_rules)
        .values(project_id=project_id, created_at=now, updated_at=now, **_columns(draft.checked()))
        .on_conflict_do_nothing()
        .returning(immutable_rules.c.id)
    )
    if rule_id is None:
        raise RuleExists
    _tell(session, project_id=project_id, project=project, public=public, context=context)
    return rule_id


def update_rule(
    session: Session,
    rule: ImmutableRule,
    draft: RuleDraft,
    *,
    project: str,
    public: bool,
    now: datetime,
    context: EventContext,
) -> None:
    """Put another rule in a rule's place. Raises BadRequest, RuleExists, NoSuchRule where somebody just deleted it."""
    changed = update(immutable_rules).where(immutable_rules.c.id == rule.id)
    values = {**_columns(draft.checked()), "updated_at": now}
    try:
        with session.begin_nested():
            found = session.scalar(changed.values(**values).returning(immutable_rules.c.id))
    except IntegrityError as error:
        raise RuleExists from error
    if found is None:
        raise NoSuchRule
    _tell(session, project_id=rule.project_id, project=project, public=public, context=context)


def delete_rule(
    session: Session, rule: ImmutableRule, *, project: str, public: bool, context: EventContext
) -> None:
    """Take a rule away. Raises NoSuchRule where somebody else just did."""
    if session.scalar(delete(immutable_rules).where(immutable_rules.c.id == rule.id).returning(immutable_rules.c.id)):
        _tell(session, project_id=rule.project_id, project=project, public=public, context=context)
        return
    raise NoSuchRule


def refuse_immutable(session: Session, repository: RepositoryName, names: Collection[str] | None = None) -> None:
    """Go on only where none of these tags, or none at all of the repository's, is immutable. Raises TagIsImmutable."""
    held = sorted(immutable_tags(session, repository, names))
    if held:
        raise TagIsImmutable(repository, held[0])


def refuse_immutable_manifest(
    session: Session, registry: RegistryClient, repository: RepositoryName, digest: Digest
) -> None:
    """Go on only where the manifest bears no immutable tag, whether the catalogue has heard of it or not.

    Until the session's end nobody is admitted who would put one on it. Raises TagIsImmutable, RegistryUnavailable.
    """
    if rules_of(session, repository.project):
        take_turns(session, repository)
        refuse_immutable(session, repository, _tags_of(session, registry, repository, digest))


def take_turns(session: Session, repository: RepositoryName) -> None:
    """Let nobody else be admitted to the repository, of those who heed its rules, until the transaction's end."""
    session.execute(_LOCK, {"class": _LOCK_CLASS, "name": repository.text})


def _tags_of(session: Session, registry: RegistryClient, repository: RepositoryName, digest: Digest) -> list[str]:
    """The tags of a manifest: those of the catalogue, and those it does not know yet and the registry does."""
    known = set(
        session.scalars(
            select(tags.c.name)
            .join(artifacts, artifacts.c.id == tags.c.artifact_id)
            .join(repositories, repositories.c.id == artifacts.c.repository_id)
            .where(repositories.c.name == repository.text, artifacts.c.digest == digest.text)
        )
    )
    lately = [tag for tag in tags_under_way(session, repository, digest) if tag not in known]
    return [*known, *(tag for tag in lately if registry.resolve(repository, TagName(tag)) == digest)]


def _tell(session: Session, *, project_id: int, project: str, public: bool, context: EventContext) -> None:
    event = ProjectUpdated(project=project, project_id=project_id, changed=(_CHANGED,), public=public)
    emit(session, event, context=context)


def _columns(draft: RuleDraft) -> dict[str, Any]:
    return {
        "disabled": draft.disabled,
        "repository_selectors": [asdict(selector) for selector in draft.repository_selectors],
        "tag_selectors": [asdict(selector) for selector in draft.tag_selectors],
    }
