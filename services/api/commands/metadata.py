"""Changing a project: its metadata, some entries at once or one alone, and its allowlist.

Of two changes at once neither undoes the other.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.api.commands.allowlist import keep_for_project
from services.api.domain.allowlist import Tolerated, check_tolerated
from services.api.domain.project import RETENTION_ENTRY, Project, check_entry, check_metadata
from services.api.errors import MetadataExists, NoSuchMetadata
from services.api.queries import project as queries
from services.api.tables import projects
from shared.errors import BadRequest
from shared.events import EventContext, emit
from shared.events.definitions.project import ProjectUpdated


def update_project(
    session: Session,
    project_id: int,
    given: Mapping[str, str],
    *,
    allowlist: Tolerated | None = None,
    now: datetime,
    context: EventContext,
) -> None:
    """Set some entries, `public` among them; what is not named stays, and names that are no entry's are dropped.

    An allowlist takes the place of the project's own. Raises BadRequest, NoSuchProject.
    """
    checked, tolerated = check_metadata(given), None if allowlist is None else check_tolerated(allowlist)
    project = _locked(session, project_id)
    relisted = tolerated is not None and keep_for_project(session, project_id, tolerated, now=now)
    also = ("cve_allowlist",) if relisted else ()
    _store(session, project, project.entries | checked, also=also, now=now, context=context)


def add_entry(
    session: Session, project_id: int, given: Mapping[str, str], *, now: datetime, context: EventContext
) -> None:
    """Add the one entry that is given. Raises BadRequest, NoSuchProject, MetadataExists."""
    if len(given) != 1:
        raise BadRequest("exactly one entry of metadata can be added at a time")
    [(name, value)] = given.items()
    entry = {name: check_entry(name, value)}
    project = _locked(session, project_id)
    if name in project.entries:
        raise MetadataExists(f"the project has the metadata {name} already")
    _store(session, project, project.entries | entry, now=now, context=context)


def set_entry(
    session: Session, project_id: int, name: str, value: str, *, now: datetime, context: EventContext
) -> None:
    """Give one entry a value, whether it is there or not. Raises BadRequest, NoSuchProject."""
    entry = {name: check_entry(name, value)}
    project = _locked(session, project_id)
    _store(session, project, project.entries | entry, now=now, context=context)


def delete_entry(session: Session, project_id: int, name: str, *, now: datetime, context: EventContext) -> None:
    """Take one entry away; without `public` a project is private.

    Raises NoSuchProject, NoSuchMetadata, BadRequest for the entry that is not the client's.
    """
    project = _locked(session, project_id)
    if name not in project.entries:
        raise NoSuchMetadata
    if name == RETENTION_ENTRY:
        raise BadRequest("delete the retention policy: its metadata goes with it")
    left = {other: value for other, value in project.entries.items() if other != name}
    _store(session, project, left, now=now, context=context)


def _locked(session: Session, project_id: int) -> Project:
    """The project, which nobody else changes until the end of this transaction."""
    session.execute(select(projects.c.id).where(projects.c.id == project_id).with_for_update(key_share=True))
    return queries.get_project(session, project_id)


def _store(
    session: Session,
    project: Project,
    wanted: Mapping[str, str],
    *,
    also: tuple[str, ...] = (),
    now: datetime,
    context: EventContext,
) -> None:
    """Write the entries and tell what has changed; `also` is what the caller has changed beside them."""
    before, after = project.entries, {"public": "false", **wanted}
    changed = sorted({*also, *(name for name in before | after if before.get(name) != after.get(name))})
    if not changed:
        return
    public = after.pop("public") == "true"
    session.execute(
        update(projects).where(projects.c.id == project.id).values(public=public, metadata=after, updated_at=now)
    )
    event = ProjectUpdated(project=project.name, project_id=project.id, changed=tuple(changed), public=public)
    emit(session, event, context=context)
