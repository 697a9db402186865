"""Changing a repository's own words; the rest of it follows from what is pushed."""

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from services.api.tables import repositories
from shared.errors import NotFound, Unprocessable
from shared.events import EventContext, emit
from shared.events.definitions.repository import RepositoryUpdated
from shared.names import RepositoryName

DESCRIPTION_LIMIT = 65_535


def update_repository(
    session: Session, repository: RepositoryName, *, description: str, context: EventContext
) -> None:
    """Describe a repository anew. Raises NotFound, Unprocessable where the text is too long."""
    if len(description) > DESCRIPTION_LIMIT:
        raise Unprocessable(f"the description is longer than {DESCRIPTION_LIMIT} characters")
    project_id = session.scalar(
        update(repositories)
        .where(repositories.c.name == repository.text)
        .values(description=description.replace("\x00", ""), updated_at=func.now())
        .returning(repositories.c.project_id)
    )
    if project_id is None:
        raise NotFound(f"repository {repository} not found")
    event = RepositoryUpdated(project=repository.project, project_id=project_id, repository=repository.text)
    emit(session, event, context=context)
