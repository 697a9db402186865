"""Changing labels, and putting them on artifacts: a project's label only on what is in that project."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.api.commands.holding import hold_project
from services.api.domain.artifact import Artifact
from services.api.domain.label import Label, LabelText
from services.api.errors import AlreadyLabelled, LabelExists, NoSuchLabel, NotLabelled
from services.api.queries import label as queries
from services.api.queries.artifact import get_artifact
from services.api.tables import artifact_labels, artifacts, labels
from shared.errors import NotFound
from shared.events import EventContext, emit
from shared.events.definitions.label import LabelAttached, LabelCreated, LabelDeleted, LabelDetached, LabelUpdated
from shared.names import Digest, RepositoryName, TagName


def create_label(
    session: Session, text: LabelText, *, project_id: int | None, now: datetime, context: EventContext
) -> Label:
    """Make a label of a project, or a global one. Raises UnfitLabel, NoSuchProject, LabelExists."""
    checked = text.checked()
    if project_id is not None:
        hold_project(session, project_id)
    label_id = session.scalar(
        upsert(labels)
        .values(
            name=checked.name,
            description=checked.description,
            color=checked.color,
            project_id=project_id,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing()
        .returning(labels.c.id)
    )
    if label_id is None:
        raise _taken(checked)
    label = queries.get_label(session, label_id)
    event = LabelCreated(label_id=label.id, label=label.name, project=label.project, project_id=label.project_id)
    emit(session, event, context=context)
    return label


def update_label(session: Session, label: Label, text: LabelText, *, now: datetime, context: EventContext) -> None:
    """Give a label another text; where it can be put stays. Raises UnfitLabel, LabelExists, NoSuchLabel."""
    checked = text.checked()
    names = ("name", "description", "color")
    changed = tuple(name for name in names if getattr(checked, name) != getattr(label.text, name))
    if not changed:
        return
    try:
        updated = session.scalar(
            update(labels)
            .where(labels.c.id == label.id)
            .values(name=checked.name, description=checked.description, color=checked.color, updated_at=now)
            .returning(labels.c.id)
        )
    except IntegrityError as error:
        raise _taken(checked) from error
    if updated is None:
        raise NoSuchLabel
    event = LabelUpdated(
        label_id=label.id, label=checked.name, project=label.project, project_id=label.project_id, changed=changed
    )
    emit(session, event, context=context)


def delete_label(session: Session, label: Label, *, context: EventContext) -> None:
    """Delete a label; whatever bore it goes on without it. Raises NoSuchLabel."""
    if session.scalar(delete(labels).where(labels.c.id == label.id).returning(labels.c.id)) is None:
        raise NoSuchLabel
    event = LabelDeleted(label_id=label.id, label=label.name, project=label.project, project_id=label.project_id)
    emit(session, event, context=context)


def attach_label(
    session: Session,
    label_id: int,
    repository: RepositoryName,
    reference: TagName | Digest,
    *,
    now: datetime,
    context: EventContext,
) -> None:
    """Put a label on an artifact.

    Raises NotFound for an artifact that is not there, NoSuchLabel for another project's label as for none, and
    AlreadyLabelled.
    """
    artifact = get_artifact(session, repository, reference, with_tags=False)
    label = queries.get_label(session, label_id)
    if label.project_id not in {None, artifact.project_id}:
        raise NoSuchLabel
    _hold(session, label, artifact)
    attached = session.scalar(
        upsert(artifact_labels)
        .values(artifact_id=artifact.id, label_id=label.id, created_at=now)
        .on_conflict_do_nothing()
        .returning(artifact_labels.c.label_id)
    )
    if attached is None:
        raise AlreadyLabelled(f"the artifact bears the label {label.name} already")
    event = LabelAttached(
        label_id=label.id,
        label=label.name,
        project=repository.project,
        project_id=artifact.project_id,
        repository=repository.text,
        digest=artifact.digest,
    )
    emit(session, event, context=context)


def detach_label(
    session: Session,
    label_id: int,
    repository: RepositoryName,
    reference: TagName | Digest,
    *,
    context: EventContext,
) -> None:
    """Take a label off an artifact. Raises NotFound for an artifact that is not there, NotLabelled."""
    artifact = get_artifact(session, repository, reference, with_tags=False)
    label = queries.find_label(session, label_id)
    borne = (artifact_labels.c.artifact_id == artifact.id, artifact_labels.c.label_id == label_id)
    taken_off = session.scalar(delete(artifact_labels).where(*borne).returning(artifact_labels.c.label_id))
    if label is None or taken_off is None:
        raise NotLabelled
    event = LabelDetached(
        label_id=label.id,
        label=label.name,
        project=repository.project,
        project_id=artifact.project_id,
        repository=repository.text,
        digest=artifact.digest,
    )
    emit(session, event, context=context)


def _hold(session: Session, label: Label, artifact: Artifact) -> None:
    """Nobody deletes either until the end of this transaction: the foreign keys would tell it less kindly."""
    there = select(artifacts.c.id).where(artifacts.c.id == artifact.id)
    if session.scalar(there.with_for_update(read=True, key_share=True)) is None:
        raise NotFound
    known = select(labels.c.id).where(labels.c.id == label.id)
    if session.scalar(known.with_for_update(read=True, key_share=True)) is None:
        raise NoSuchLabel


def _taken(text: LabelText) -> LabelExists:
    return LabelExists(f"a label named {text.name} exists already")
