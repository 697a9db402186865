"""Searching projects and repositories by a part of their names."""

from typing import Final

from sqlalchemy.orm import Session

from services.api.domain.project import Project
from services.api.domain.repository import FoundRepository
from services.api.queries.project import list_projects
from services.api.queries.repository import search_repositories
from shared.auth.principals import Principal
from shared.listing import Listing, Match, Term

MOST: Final = 100
"""Finds of each kind at most: who has more has to say more."""


def search(session: Session, caller: Principal, text: str) -> tuple[list[Project], list[FoundRepository]]:
    """What the caller may see whose name contains a text, by name."""
    named = Term(key="name", match=Match.FUZZY, values=(text,))
    found = list_projects(session, caller, Listing(page_size=MOST, terms=(named,)))
    return found.records, search_repositories(session, caller, text, limit=MOST)
