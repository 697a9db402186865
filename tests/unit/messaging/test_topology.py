"""The broker's definitions: what hangs together, and who may do what."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from shared.messaging.topology import (
    CONSUMERS,
    DELAYS,
    EVENTS,
    QUEUES,
    REPLAY,
    USERS,
    WITHOUT_QUEUES,
    Consumer,
    consumer_of,
    definitions,
)
from shared.secrets import Secret

PASSWORDS = {user: Secret(f"password of {user}") for user in USERS}


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return definitions(PASSWORDS)


def queue(content: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [queue for queue in content["queues"] if queue["name"] == name]
    arguments: dict[str, Any] = found["arguments"]
    return arguments


def routed(content: dict[str, Any], exchange: str, key: str) -> set[str]:
    """The queues that a routing key leads to."""
    kind = next(found["type"] for found in content["exchanges"] if found["name"] == exchange)
    return {
        binding["destination"]
        for binding in content["bindings"]
        if binding["source"] == exchange and (kind == "fanout" or _matches(binding["routing_key"], key))
    }


def _matches(pattern: str, key: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\#", ".*").replace(r"\*", "[^.]*"), key) is not None


def test_it_is_json(content: dict[str, Any]) -> None:
    assert json.loads(json.dumps(content)) == content


def test_an_event_reaches_its_consumers_and_the_replay_stream(content: dict[str, Any]) -> None:
    pushed = routed(content, EVENTS, "artifact.pushed.my.dotted.project")
    assert pushed == {"audit", "metadata", "webhook", "replication", REPLAY}
    assert routed(content, EVENTS, "user.logged_in._system") == {"audit", REPLAY}


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.queue)
class TestConsumers:
    def test_what_is_tried_again_comes_back_to_that_queue_alone(
        self, content: dict[str, Any], consumer: Consumer
    ) -> None:
        for delay in DELAYS:
            assert routed(content, consumer.retry_exchange, delay.name) == {consumer.retry_queue(delay)}
            arguments = queue(content, consumer.retry_queue(delay))
            assert arguments["x-message-ttl"] == delay.milliseconds
            assert (arguments["x-dead-letter-exchange"], arguments["x-dead-letter-routing-key"]) == ("", consumer.queue)
            assert arguments["x-dead-letter-strategy"] == "at-least-once"
            assert arguments["x-overflow"] == "reject-publish", "at-least-once asks for it"
        assert routed(content, consumer.retry_exchange, "now") == {consumer.queue}

    def test_it_has_dead_letters_of_its_own(self, content: dict[str, Any], consumer: Consumer) -> None:
        assert routed(content, consumer.dead_letters, "whatever") == {consumer.dead_letters}

    def test_its_queues_survive_a_restart(self, content: dict[str, Any], consumer: Consumer) -> None:
        for found in content["queues"]:
            assert found["durable"]
            if found["name"].startswith(consumer.queue):
                assert found["arguments"]["x-queue-type"] == "quorum"

    def test_it_is_found_by_its_queue(self, content: dict[str, Any], consumer: Consumer) -> None:
        assert consumer_of(consumer.queue) == consumer
        assert consumer.queue in {found["name"] for found in content["queues"]}


def test_replication_drops_its_oldest_and_does_not_pile_up_dead_letters(content: dict[str, Any]) -> None:
    arguments = queue(content, "replication")
    assert arguments["x-overflow"] == "drop-head"
    assert arguments["x-max-length"] > 0
    assert "x-dead-letter-exchange" not in arguments


def test_the_relay_waits_for_every_consumer_and_the_stream() -> None:
    assert set(QUEUES) == {"audit", "metadata", "webhook", "replication", REPLAY}


def test_nobody_may_configure_and_nobody_has_a_tag(content: dict[str, Any]) -> None:
    assert {permission["configure"] for permission in content["permissions"]} == {"^$"}
    assert {tuple(user["tags"]) for user in content["users"]} == {()}
    assert "guest" not in {user["name"] for user in content["users"]}


def test_every_user_has_rights_in_the_vhost(content: dict[str, Any]) -> None:
    assert {permission["user"] for permission in content["permissions"]} == set(USERS)
    assert {permission["vhost"] for permission in content["permissions"]} == {"/"}


@pytest.mark.parametrize(
    ("user", "write", "read"),
    [
        ("relay", {EVENTS}, set()),
        ("audit", {"audit.retry", "audit.dead-letters"}, {"audit"}),
        ("metadata", {"metadata.retry", "metadata.dead-letters"}, {"metadata"}),
        ("webhook", {"webhook.retry", "webhook.dead-letters"}, {"webhook"}),
        ("core", {f"{each.queue}.retry" for each in CONSUMERS}, {each.dead_letters for each in CONSUMERS}),
        ("consumer", set(), {REPLAY}),
    ],
)
def test_rights_are_no_wider_than_needed(content: dict[str, Any], user: str, write: set[str], read: set[str]) -> None:
    names = {each["name"] for kind in ("queues", "exchanges") for each in content[kind]}
    names |= {"", "amq.default", "amq.topic", f"{user}x", f"x{user}", f"{user}.retry.1s.x"}
    [permission] = [permission for permission in content["permissions"] if permission["user"] == user]
    assert {name for name in names if re.search(permission["write"], name)} == write | _nothing(permission["write"])
    assert {name for name in names if re.search(permission["read"], name)} == read | _nothing(permission["read"])


def _nothing(pattern: str) -> set[str]:
    """`^$` matches the empty name alone, which the broker checks as amq.default."""
    return {""} if pattern == "^$" else set()


def test_passwords_are_salted_hashes(content: dict[str, Any]) -> None:
    text = json.dumps(content)
    for user in content["users"]:
        raw = base64.b64decode(user["password_hash"])
        password = PASSWORDS[user["name"]].reveal()
        assert raw[4:] == hashlib.sha256(raw[:4] + password.encode()).digest()
        assert password not in text
    assert len({user["password_hash"][:6] for user in content["users"]}) == len(USERS)


@pytest.mark.parametrize(
    ("consumer", "noun", "verb", "listens"),
    [
        ("audit", "user", "logged_in", True),
        ("metadata", "artifact", "pulled", True),
        ("metadata", "user", "created", False),
        ("webhook", "artifact", "pulled", True),
        ("webhook", "quota", "warned", True),
        ("webhook", "tag", "created", False),
        ("replication", "artifact", "pulled", False),
        ("replication", "artifact", "pushed", True),
    ],
)
def test_listeners_are_told_by_the_bindings(consumer: str, noun: str, verb: str, *, listens: bool) -> None:
    found = consumer_of(consumer)
    assert found is not None
    assert found.listens_to(noun, verb) is listens


def test_an_unknown_queue_has_no_consumer() -> None:
    assert consumer_of("unheard-of") is None


def test_where_order_matters_one_process_takes_at_a_time(content: dict[str, Any]) -> None:
    """The record's chain, and what a webhook's receiver sees; the catalogue and replication ask what is true."""
    alone = {found["name"] for found in content["queues"] if found["arguments"].get("x-single-active-consumer")}
    assert alone == {"audit", "webhook"}


def test_what_stands_on_no_queue_is_all_but_queues_and_bindings(content: dict[str, Any]) -> None:
    assert {*content} - {*WITHOUT_QUEUES} == {"queues", "bindings"}
