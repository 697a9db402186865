"""Publishing that is known to have arrived: confirms in a pipelined window, and nothing unroutable goes unnoticed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import amqp

from shared import logging
from shared.errors import BreakwaterError
from shared.messaging.connection import drain

WINDOW: Final = 256
CONFIRM_SECONDS: Final = 30.0
"""How long a broker that says nothing is waited for."""
LOOK_SECONDS: Final = 1.0
PERSISTENT: Final = 2


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message to publish; `properties` are AMQP's own, headers included as `application_headers`."""

    exchange: str
    routing_key: str
    body: bytes
    properties: dict[str, Any] = field(default_factory=dict)


class NotPublished(BreakwaterError):
    """The broker did not take all of it; the first `confirmed` messages it did."""

    code = "NOT_PUBLISHED"
    default = "the broker did not take the message"

    def __init__(self, sentence: str, *, confirmed: int) -> None:
        super().__init__(sentence)
        self.confirmed = confirmed


class Publisher:
    """Publishes on a channel of its own. After NotPublished it is of no more use: open another connection."""

    def __init__(self, connection: Any, *, window: int = WINDOW) -> None:  # noqa: ANN401 - py-amqp has no types
        self._connection = connection
        self._window = window
        self._unconfirmed: dict[int, int] = {}
        self._published = 0
        self._trouble: str | None = None
        self._blocked = False
        self._deadline = 0.0
        connection.on_blocked = self._begin_to_wait
        connection.on_unblocked = self._go_on
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._acknowledged)
        self._channel.events["basic_nack"].add(self._refused)
        self._channel.events["basic_return"].add(self._returned)

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Publish in order; return when the broker has confirmed every one.

        One that takes nothing for want of memory or disk, and says so, is waited for as long as its heart beats: to
        connect anew would only publish the same again, and have it read all of that once it can.

        Raises NotPublished for a message that was returned, refused or not confirmed in time, and BROKER_ERRORS.
        """
        for position, message in enumerate(messages):
            while len(self._unconfirmed) >= self._window:
                self._wait(messages)
            self._check()
            self._published += 1
            self._unconfirmed[self._published] = position
            self._channel.basic_publish(
                amqp.Message(message.body, delivery_mode=PERSISTENT, **message.properties),
                exchange=message.exchange,
                routing_key=message.routing_key,
                mandatory=True,
            )
        while self._unconfirmed:
            self._wait(messages)
        self._check()

    def _wait(self, messages: Sequence[Outgoing]) -> None:
        before = len(self._unconfirmed)
        self._give_time()
        while len(self._unconfirmed) == before:
            self._check()
            if drain(self._connection, min(LOOK_SECONDS, self._deadline - time.monotonic())):
                continue
            self._connection.heartbeat_tick()
            if self._blocked:
                self._give_time()
            elif time.monotonic() >= self._deadline:
                self._trouble = f"the broker has not confirmed {before} of {len(messages)} messages in time"
        self._check()

    def _give_time(self) -> None:
        self._deadline = time.monotonic() + CONFIRM_SECONDS

    def _check(self) -> None:
        if self._trouble is not None:
            raise NotPublished(self._trouble, confirmed=min(self._unconfirmed.values(), default=0))

    def _begin_to_wait(self, _reason: str) -> None:
        self._blocked = True
        logging.get().warning("broker_takes_no_more", unconfirmed=len(self._unconfirmed))

    def _go_on(self) -> None:
        self._blocked = False
        # it has all of it before it yet, however long ago it was looked at while it took nothing
        self._give_time()
        logging.get().info("broker_takes_more")

    def _acknowledged(self, tag: int, multiple: bool) -> None:  # noqa: FBT001 - py-amqp calls it
        if self._trouble is not None:
            return  # a returned message is acknowledged too
        if multiple:
            for each in [each for each in self._unconfirmed if each <= tag]:
                del self._unconfirmed[each]
        else:
            self._unconfirmed.pop(tag, None)

    def _refused(self, _tag: int, _multiple: bool) -> None:  # noqa: FBT001 - py-amqp calls it
        self._trouble = "the broker refused a message"

    def _returned(self, error: Exception, exchange: str, routing_key: str, _message: object) -> None:
        self._trouble = f"no queue takes {routing_key!r} from {exchange!r}: {getattr(error, 'reply_text', error)}"
