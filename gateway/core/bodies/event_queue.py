"""Bodies about dead letters."""

from enum import StrEnum

from pydantic import Field

from gateway.core.reading import Body
from shared.errors import BadRequest


class Settlement(StrEnum):
    """What becomes of dead letters."""

    REDRIVE = "redrive"
    """They go back to their queue, with all attempts before them."""
    DISCARD = "discard"
    """They are thrown away."""


class SettlementBody(Body):
    """What becomes of which; without ids all are sent back, and none is thrown away."""

    action: str = ""
    ids: list[str] = Field(default=[], max_length=1_000)

    def settlement(self) -> Settlement:
        """What becomes of them. Raises BadRequest."""
        try:
            wanted = Settlement(self.action)
        except ValueError as error:
            raise BadRequest("action must be redrive or discard") from error
        if wanted is Settlement.DISCARD and not self.ids:
            raise BadRequest("ids must name the dead letters to discard")
        return wanted
