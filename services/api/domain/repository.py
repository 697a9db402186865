"""Repositories as records: a name within a project that artifacts are pushed to."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletable:
    """What goes when a repository is deleted now."""

    artifacts: int
    """All of them, those that only an index refers to included."""
    tags: int
    immutable_tags: tuple[str, ...]
    """Where there are any, the repository cannot be deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """One repository and its counters."""

    id: int
    project_id: int
    name: str
    """In full: project and repository."""
    description: str
    artifact_count: int
    """What lists show: artifacts that are tagged, or child of no index."""
    pull_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRepository:
    """A repository that a search found, with what tells its project."""

    repository: Repository
    project_name: str
    project_public: bool
