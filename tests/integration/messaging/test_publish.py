"""Publishing to a broker that is in need: what it takes late is taken once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest

from shared.messaging import publish
from shared.messaging.connection import connected
from shared.messaging.publish import Publisher
from tests.integration.broker import Broker
from tests.integration.messaging.conftest import message


def test_a_broker_short_of_disk_is_waited_for_and_takes_each_message_once(
    rabbit: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "CONFIRM_SECONDS", 2.0)
    messages = [message("p")[1] for _ in range(20)]
    with connected(rabbit.settings("relay")) as connection, ThreadPoolExecutor(1) as pool:
        publisher = Publisher(connection)
        publisher.publish(messages[:1])
        rabbit.rabbit.control("set_disk_free_limit", "9999GB")
        try:
            published = pool.submit(publisher.publish, messages[1:])
            sleep(3)
            assert not published.done(), "it neither succeeds nor gives up"
        finally:
            rabbit.rabbit.control("set_disk_free_limit", "50MB")
        published.result(20)
    assert rabbit.depth("audit") == len(messages)
