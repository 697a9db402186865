"""Bodies about labels."""

from gateway.core.reading import Body
from gateway.core.request import MAX_ID
from services.api.domain.label import LabelScope, LabelText
from services.api.errors import NoSuchLabel
from shared.errors import BadRequest


class LabelBody(Body):
    """A label as it shall be."""

    name: str = ""
    description: str = ""
    color: str = ""

    def text(self) -> LabelText:
        """The text asked for."""
        return LabelText(name=self.name, description=self.description, color=self.color)


class NewLabelBody(LabelBody):
    """A label to be made."""

    scope: str = ""
    project_id: int = 0

    def kept_by(self) -> int | None:
        """The number of the project that shall keep it, None where it shall be global. Raises BadRequest."""
        return parse_scope(self.scope, self.project_id)


class LabelNumberBody(Body):
    """A label that there is; what else a client tells of it is passed over."""

    id: int = 0

    def number(self) -> int:
        """Its number. Raises BadRequest where none is named, NoSuchLabel where none can have it."""
        if self.id <= 0:
            raise BadRequest("id must be the number of a label")
        if self.id > MAX_ID:
            raise NoSuchLabel
        return self.id


def parse_scope(scope: str, project_id: int) -> int | None:
    """The project that a scope speaks of, None where it is all of them. Raises BadRequest."""
    if scope == LabelScope.GLOBAL:
        return None
    if scope != LabelScope.PROJECT:
        raise BadRequest("scope must be g for global labels, or p for those of a project")
    if project_id <= 0:
        raise BadRequest("project_id is required where the scope is p")
    return project_id
