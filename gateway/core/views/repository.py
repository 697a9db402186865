"""Repositories as the API shows them."""

from gateway.core.writing import Json, time_or_never
from services.api.domain.repository import Deletable, FoundRepository, Repository


def repository_view(repository: Repository) -> Json:
    """A repository under its full name."""
    return {
        "id": repository.id,
        "project_id": repository.project_id,
        "name": repository.name,
        "description": repository.description,
        "artifact_count": repository.artifact_count,
        "pull_count": repository.pull_count,
        "creation_time": time_or_never(repository.created_at),
        "update_time": time_or_never(repository.updated_at),
    }


_MOST_NAMED = 100


def deletable_view(what: Deletable) -> Json:
    """Whether a repository could be deleted now, and what would go; of many immutable tags the first hundred."""
    fast = len(what.immutable_tags)
    view: Json = {
        "deletable": not fast,
        "artifact_count": what.artifacts,
        "tag_count": what.tags,
        "immutable_tag_count": fast,
        "immutable_tags": list(what.immutable_tags[:_MOST_NAMED]),
    }
    return view | {"message": f"immutable tags: {fast}"} if fast else view


def found_repository_view(found: FoundRepository) -> Json:
    """A repository that a search has found."""
    return {
        "project_id": found.repository.project_id,
        "project_name": found.project_name,
        "project_public": found.project_public,
        "repository_name": found.repository.name,
        "artifact_count": found.repository.artifact_count,
        "pull_count": found.repository.pull_count,
    }
