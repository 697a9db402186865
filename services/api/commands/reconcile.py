"""Settling what was expected and never told: the registry is asked, and one conditional UPDATE decides who tells.

For each write one transaction holds the repository's lock: it asks, records what is true, settles and emits.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.announcement import announce_push, announce_removal
from services.api.commands.catalogue import lock_repository, record
from services.api.commands.expectation import Expectation, Kind, SettledBy, refuse, settle, unsettled
from services.api.commands.observation import look
from services.api.domain.judgement import Evidence, Verdict, judge_delete, judge_put
from services.api.domain.observation import Changes, TagState, Truth
from services.api.tables import artifacts, repositories
from shared import logging
from shared.errors import BreakwaterError, Unavailable
from shared.events.definitions.artifact import Origin
from shared.names import Digest, TagName
from shared.registry import agent
from shared.registry.client import RegistryClient

PATIENCE: Final = timedelta(seconds=60)
"""How long the registry's own notification is waited for."""
GIVE_UP: Final = timedelta(hours=6)
"""How long a write that cannot be judged is tried again."""
_BATCH: Final = 200

_TOLD: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM events.expected
        WHERE created_at > :created_at AND repository = :repository AND kind = :kind AND reference = :reference
          AND digest IS NOT DISTINCT FROM :digest AND state = 'settled'
    )
    """
)


def settle_expected(
    sessions: sessionmaker[Session],
    registry: RegistryClient,
    *,
    instance_id: UUID,
    now: datetime,
    is_stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Judge every write that has been open for a minute; returns how many were told of.

    Raises Unavailable where registry or database are away: what is open stays so.
    """
    with sessions() as session:
        overdue = unsettled(session, instance_id=instance_id, before=now - PATIENCE, limit=_BATCH)
    told = 0
    for expectation in overdue:
        if is_stopping():
            break
        try:
            with sessions.begin() as session:
                told += _settle(session, registry, expectation)
        except Unavailable:
            raise
        except BreakwaterError as error:
            _set_aside(sessions, expectation, error, now)
    return told


def _settle(session: Session, registry: RegistryClient, expectation: Expectation) -> bool:
    lock_repository(session, expectation.repository)
    evidence = _evidence(session, registry, expectation)
    verdict = judge_put(evidence) if expectation.kind is Kind.PUT else judge_delete(evidence)
    if verdict is Verdict.DID_NOT:
        if refuse(session, expectation.id, by=SettledBy.RECONCILER):
            _clear_away(registry, expectation, evidence)
        return False
    if not settle(session, expectation.id, by=SettledBy.RECONCILER):
        return False
    _clear_away(registry, expectation, evidence)
    if expectation.kind is Kind.PUT:
        _tell_push(session, registry, expectation)
    else:
        tell_deletion(session, expectation)
    logging.get().info(
        "expectation_settled", expectation=str(expectation.id), kind=expectation.kind.value, verdict=verdict.value
    )
    return True


def _clear_away(registry: RegistryClient, expectation: Expectation, evidence: Evidence) -> None:
    """Delete the manifest that was to take a tag off, whether it still holds the tag or a new push has taken it."""
    if expectation.kind is Kind.DELETE and evidence.by_tag and evidence.digest is not None and evidence.exists:
        user_agent = agent.carry(agent.OWN, request_id=expectation.context.request_id)
        registry.delete_manifest(expectation.repository, evidence.digest, user_agent=user_agent)


def _evidence(session: Session, registry: RegistryClient, expectation: Expectation) -> Evidence:
    digest = expectation.digest
    by_tag = isinstance(expectation.reference, TagName)
    held = registry.resolve(expectation.repository, expectation.reference)
    if digest is None or held == digest:
        exists_now = held is not None
    else:
        exists_now = registry.resolve(expectation.repository, digest) is not None
    told = {
        "created_at": expectation.created_at,
        "repository": expectation.repository.text,
        "kind": expectation.kind.value,
        "reference": expectation.reference.text,
        "digest": digest.text if digest else None,
    }
    return Evidence(
        digest=digest,
        by_tag=by_tag,
        held=held,
        exists=exists_now,
        known_before=digest is not None and _known_before(session, expectation, digest),
        answered=expectation.answered,
        told=bool(session.scalar(_TOLD, told)),
    )


def _known_before(session: Session, expectation: Expectation, digest: Digest) -> bool:
    known = exists().where(
        repositories.c.name == expectation.repository.text,
        artifacts.c.repository_id == repositories.c.id,
        artifacts.c.digest == digest.text,
        artifacts.c.pushed_at < expectation.created_at,
    )
    return bool(session.scalar(select(known)))


def _tell_push(session: Session, registry: RegistryClient, expectation: Expectation) -> None:
    digest, reference, time = expectation.digest, expectation.reference, expectation.created_at
    if digest is None:
        return
    tag = reference if isinstance(reference, TagName) else None
    truth = look(
        session, registry, expectation.repository, digests={digest: time}, tags={tag: time} if tag else {}
    )
    changes = record(session, truth)
    announce_push(
        session,
        expectation.repository,
        digest,
        tag,
        context=expectation.context,
        origin=Origin.RECONCILER,
        event_id=uuid5(expectation.context.instance_id, expectation.cause),
        project_id=changes.project_id,
        media_type=expectation.media_type,
        size=expectation.size,
        time=time,
    )


def tell_deletion(session: Session, expectation: Expectation) -> None:
    """Tell of a deletion that its own writer did not live to tell of, and record it; it has been settled.

    It is of what the catalogue still had, and of the artifact itself even where it had it no more.
    """
    repository, reference, time = expectation.repository, expectation.reference, expectation.created_at
    if isinstance(reference, TagName):
        state = TagState(digest=None, since=time)
        changes = record(session, Truth(repository=repository, tags={reference: state}))
    else:
        changes = record(session, Truth(repository=repository, gone=frozenset({reference})))
        changes = Changes(
            project_id=changes.project_id, removed=(reference,), tags_removed=changes.tags_removed
        )
    announce_removal(
        session,
        repository,
        changes,
        context=expectation.context,
        origin=Origin.RECONCILER,
        cause=expectation.cause,
        time=time,
    )


def _set_aside(
    sessions: sessionmaker[Session], expectation: Expectation, error: BreakwaterError, now: datetime
) -> None:
    """One that cannot be judged does not hold up the others; after some hours it is given up."""
    given_up = expectation.created_at < now - GIVE_UP
    if given_up:
        with sessions.begin() as session:
            refuse(session, expectation.id, by=SettledBy.RECONCILER)
    logging.get().error(
        "expectation_not_judged", expectation=str(expectation.id), reason=error.sentence, given_up=given_up
    )
