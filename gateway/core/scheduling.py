"""What the system has one of and does by a schedule or at once, as a body of Harbor's schedules asks for it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy.orm import Session

from gateway.core.bodies.schedule import ScheduleBody
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest
from services.api.commands.schedule import drop_schedule, set_schedule
from services.api.domain.retention import Trigger
from services.api.domain.schedule import ScheduleKind
from shared.events import Actor

_SYSTEM = 0


class Wish(Protocol):
    """What shall be done, read from a body's parameters."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """As they were given."""


_Wish = TypeVar("_Wish", bound=Wish)
_Asked_contra = TypeVar("_Asked_contra", bound=Wish, contravariant=True)


class Ask(Protocol[_Asked_contra]):
    """Asks for a run; returns its number."""

    def __call__(
        self,
        session: Session,
        wish: _Asked_contra,
        /,
        *,
        trigger: Trigger,
        actor: Actor,
        request_id: str,
        now: datetime,
    ) -> int:
        """As it says."""


def plan(
    req: ApiRequest, kind: ScheduleKind, parse: Callable[[Mapping[str, Any]], _Wish], ask: Ask[_Wish]
) -> int | None:
    """Do what the body asks for, whose parameters `parse` reads; returns the number of a run that is to be at once.

    Raises BadRequest, and what `ask` raises.
    """
    body = read_body(req, ScheduleBody)
    session: Session = req.database
    if body.is_none:
        drop_schedule(session, kind, _SYSTEM)
        return None
    wish = parse(body.parameters)
    if body.is_manual:
        context = req.event_context
        return ask(
            session,
            wish,
            trigger=Trigger.MANUAL,
            actor=context.actor,
            request_id=context.request_id or "",
            now=req.now,
        )
    set_schedule(
        session, kind, _SYSTEM, body.cron(), now=req.now, cron_type=body.plan.type, parameters=wish.parameters
    )
    return None
