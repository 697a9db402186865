"""Least rights on the broker: what each user may do, and that it may do nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import amqp
import pytest

from shared.messaging.connection import connected
from shared.messaging.publish import NotPublished, Outgoing, Publisher
from shared.messaging.topology import AUDIT, CONSUMERS, EVENTS, USERS
from tests.integration.broker import Broker

Attempt = Callable[[Any], object]


def publish(exchange: str, routing_key: str = "k") -> Attempt:
    def attempt(connection: Any) -> None:  # noqa: ANN401
        Publisher(connection).publish([Outgoing(exchange=exchange, routing_key=routing_key, body=b"{}")])

    return attempt


def on_channel(method: str, *arguments: object, **options: object) -> Attempt:
    def attempt(connection: Any) -> object:  # noqa: ANN401
        return getattr(connection.channel(), method)(*arguments, **options)

    return attempt


REFUSED = {
    "publish an event": publish(EVENTS),
    "publish to a queue by the default exchange": publish("", "metadata"),
    "publish to another's retries": publish("metadata.retry", "1s"),
    "publish to another's dead letters": publish("metadata.dead-letters"),
    "publish to a built-in exchange": publish("amq.topic"),
    "consume from another's queue": on_channel("basic_consume", "metadata"),
    "get from another's queue": on_channel("basic_get", "metadata"),
    "read the replay stream": on_channel("basic_get", "events.replay"),
    "read the dead letters": on_channel("basic_get", "audit.dead-letters"),
    "purge another's queue": on_channel("queue_purge", "metadata"),
    "declare a queue": on_channel("queue_declare", "mine", durable=True, auto_delete=False),
    "declare an exchange": on_channel("exchange_declare", "mine", "topic", durable=True, auto_delete=False),
    "delete its own queue": on_channel("queue_delete", "audit"),
    "delete another's queue": on_channel("queue_delete", "metadata"),
    "delete the exchange": on_channel("exchange_delete", EVENTS),
    "bind its queue to more": on_channel("queue_bind", "audit", "metadata.retry", "1s"),
    "unbind another's queue": on_channel("queue_unbind", "metadata", EVENTS, "artifact.#"),
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED.keys())
def test_a_consumer_may_not(rabbit: Broker, attempt: Attempt) -> None:
    with pytest.raises(amqp.exceptions.AccessRefused), connected(rabbit.settings("audit")) as connection:
        attempt(connection)


RELAY_REFUSED = {
    "publish to a consumer's retries": publish("audit.retry", "now"),
    "publish to a consumer's dead letters": publish("audit.dead-letters"),
    "publish by the default exchange": publish("", "audit"),
    "consume": on_channel("basic_consume", "audit"),
    "purge": on_channel("queue_purge", "audit"),
    "declare": on_channel("queue_declare", "mine", durable=True, auto_delete=False),
}


@pytest.mark.parametrize("attempt", RELAY_REFUSED.values(), ids=RELAY_REFUSED.keys())
def test_the_relay_may_not(rabbit: Broker, attempt: Attempt) -> None:
    with pytest.raises(amqp.exceptions.AccessRefused), connected(rabbit.settings("relay")) as connection:
        attempt(connection)


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_configure_anything(rabbit: Broker, user: str) -> None:
    declare = on_channel("queue_declare", f"{user}.more", durable=True, auto_delete=False)
    with pytest.raises(amqp.exceptions.AccessRefused), connected(rabbit.settings(user)) as connection:
        declare(connection)


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.queue)
def test_a_consumer_may_read_its_queue_and_put_off_what_it_took(rabbit: Broker, consumer: Any) -> None:  # noqa: ANN401
    with connected(rabbit.settings(consumer.queue)) as connection:
        connection.channel().basic_consume(consumer.queue)
        publish(consumer.retry_exchange, "10s")(connection)
        publish(consumer.dead_letters)(connection)


@pytest.mark.parametrize("password", ["guest", ""])
def test_there_is_no_guest(rabbit: Broker, password: str) -> None:
    stranger = amqp.Connection(f"127.0.0.1:{rabbit.port}", "guest", password, login_method="PLAIN", connect_timeout=5)
    with pytest.raises(amqp.exceptions.AccessRefused):
        stranger.connect()


def test_a_wrong_password_is_refused(rabbit: Broker) -> None:
    stranger = amqp.Connection(f"127.0.0.1:{rabbit.port}", "relay", "wrong", login_method="PLAIN", connect_timeout=5)
    with pytest.raises(amqp.exceptions.AccessRefused):
        stranger.connect()


def test_what_no_queue_takes_is_an_error_and_not_a_success(rabbit: Broker) -> None:
    with connected(rabbit.settings("audit")) as connection:
        publisher = Publisher(connection)
        taken = Outgoing(exchange=AUDIT.retry_exchange, routing_key="10s", body=b"{}")
        lost = Outgoing(exchange=AUDIT.retry_exchange, routing_key="never", body=b"{}")
        with pytest.raises(NotPublished, match="no queue takes 'never'") as raised:
            publisher.publish([taken, taken, lost, taken])
        assert raised.value.confirmed <= 2
