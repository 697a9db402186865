"""The broker, for administrators who look at its queues: one short connection for each request, and no other use of it.

Nothing else of the API needs the broker, and nothing of it waits for the broker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from shared.errors import ConfigurationError, Unavailable
from shared.messaging.connection import BROKER_ERRORS, connected
from shared.messaging.publish import NotPublished
from shared.settings import Settings

ANSWER_SECONDS: Final = 5.0
"""How long the broker may take over one answer."""


@contextmanager
def broker_of(settings: Settings) -> Iterator[Any]:
    """A connection with this part's own rights: to dead letters, and to give them back. Raises Unavailable."""
    try:
        with connected(settings) as connection:
            connection.transport.sock.settimeout(ANSWER_SECONDS)
            yield connection
    except (*BROKER_ERRORS, NotPublished, ConfigurationError) as error:
        raise Unavailable("the broker is not available right now: events wait, and arrive when it is back") from error
