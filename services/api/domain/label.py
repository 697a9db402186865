"""Labels: words that people put on artifacts, kept by one project or known in all."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from services.api.errors import UnfitLabel

_MAX_NAME: Final = 128
_MAX_DESCRIPTION: Final = 1_024
# it ends up in a style of somebody's page: a name or a number, nothing that could be more
_COLOR: Final = re.compile(r"#?[A-Za-z0-9]{0,15}")


class LabelScope(StrEnum):
    """Where a label can be put."""

    GLOBAL = "g"
    """On any artifact; administrators keep it."""
    PROJECT = "p"
    """On the artifacts of its project, which keeps it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelText:
    """What of a label people choose."""

    name: str
    description: str = ""
    color: str = ""

    def checked(self) -> Self:
        """The text itself. Raises UnfitLabel."""
        if not self.name.strip() or len(self.name) > _MAX_NAME or not self.name.isprintable():
            raise UnfitLabel(f"the name of a label must have from 1 to {_MAX_NAME} printable characters")
        if len(self.description) > _MAX_DESCRIPTION:
            raise UnfitLabel(f"the description of a label must have at most {_MAX_DESCRIPTION} characters")
        if not _COLOR.fullmatch(self.color):
            raise UnfitLabel("the color of a label must be a word or a number such as #0065AB")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A label."""

    id: int
    text: LabelText
    project_id: int | None
    """None for a global one."""
    project: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        """The word itself."""
        return self.text.name

    @property
    def scope(self) -> LabelScope:
        """Where it can be put."""
        return LabelScope.GLOBAL if self.project_id is None else LabelScope.PROJECT
