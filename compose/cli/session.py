"""A database session of a part's role, for the verbs that an operator runs on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.orm import Session

from shared.auth.principals import SYSTEM_PREFIX
from shared.db import engine, session_factory, unavailable_when_down
from shared.events import Actor, ActorKind, EventContext
from shared.settings import Settings

OPERATOR: Final = Actor(kind=ActorKind.SYSTEM, name=f"{SYSTEM_PREFIX}operator")
"""Who acts in the record: whoever can run this on the machine."""


@contextmanager
def session_of(settings: Settings) -> Iterator[Session]:
    """A session that commits at the block's end. Raises Unavailable where the database does not answer."""
    bind = engine(settings, pool_size=1)
    try:
        with unavailable_when_down(), session_factory(bind).begin() as session:
            yield session
    finally:
        bind.dispose()


def operator_context(settings: Settings, verb: str) -> EventContext:
    """What surrounds the events of a verb."""
    return EventContext(instance_id=settings.instance_id, actor=OPERATOR, user_agent=f"breakwater {verb}")
