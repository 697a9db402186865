"""A call of the API that a page makes in its own process, and what the page lends to it.

It stands in the WSGI environment under a key that no header of a client can have.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.orm import Session

from shared.auth.principals import Principal
from shared.directory import ProjectRights

_KEY: Final = "breakwater.inner"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """Lent to each call of one page."""

    caller: Principal
    """Whoever the page is shown to: he has been asked already."""
    database: Session | None = None
    """The page's own session where the call only reads: one connection, taken once, serves all of it."""
    rights: dict[str, ProjectRights] = field(default_factory=dict)
    """The caller's rights in projects, as the page's earlier calls found them."""

    @property
    def environment(self) -> dict[str, Any]:
        """What goes into the WSGI environment of the call."""
        return {_KEY: self}


def inner_of(environment: Mapping[str, Any]) -> Inner | None:
    """What was lent to a request; None where it came from outside."""
    found = environment.get(_KEY)
    return found if isinstance(found, Inner) else None
