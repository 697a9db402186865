"""The one definition of what exists on the broker: exchanges, queues, bindings, users and their rights.

It is rendered into a definitions file that RabbitMQ loads at start. Nobody declares anything at run time, so no user
may configure anything, and a definition that is not here does not exist.
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.secrets import Secret

EVENTS: Final = "breakwater.events"
"""The topic exchange that the relay publishes to."""
REPLAY: Final = "events.replay"
"""The stream of the last days, for replay over AMQP."""
REPLAY_AGE: Final = "7D"
REPLAY_BYTES: Final = 2 * 1024**3
REPLAY_SEGMENT_BYTES: Final = 50 * 1024**2

DELIVERY_LIMIT: Final = 1_000
"""A backstop: consumers count attempts themselves, as a killed consumer raises the broker's count of all it held."""

LOOKS_LIMIT: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Delay:
    """A pause before another attempt: the name is also the routing key on the retry exchange."""

    name: str
    milliseconds: int


DELAYS: Final = (
    Delay(name="1s", milliseconds=1_000),
    Delay(name="10s", milliseconds=10_000),
    Delay(name="1m", milliseconds=60_000),
    Delay(name="10m", milliseconds=600_000),
)
AT_ONCE: Final = "now"
"""The routing key on a retry exchange that leads straight back to the queue; dead letters are re-driven by it."""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A consumer's queue, what it listens to, and the queues that hang on it."""

    queue: str
    patterns: tuple[str, ...]
    most: int | None = None
    """Messages kept at most, the oldest dropped first; None keeps all."""
    in_order: bool = False
    """Of several processes one alone takes from the queue, and the next when that one is gone: none overtakes another.

    A queue keeps what it was made with: one that was made before this is shared out among them.
    """

    @property
    def retry_exchange(self) -> str:
        """Where the consumer sends what it will try again."""
        return f"{self.queue}.retry"

    def retry_queue(self, delay: Delay) -> str:
        """Holds messages for the delay, then gives them back to the queue."""
        return f"{self.queue}.retry.{delay.name}"

    @property
    def dead_letters(self) -> str:
        """The exchange, and the queue of the same name, for what no attempt could settle."""
        return f"{self.queue}.dead-letters"

    def listens_to(self, noun: str, verb: str) -> bool:
        """Whether events of this kind reach the queue, in whatever project."""
        return any(pattern in {"#", f"{noun}.#", f"{noun}.{verb}.#"} for pattern in self.patterns)


AUDIT: Final = Consumer(queue="audit", patterns=("#",), in_order=True)
METADATA: Final = Consumer(
    queue="metadata", patterns=("artifact.#", "tag.#", "repository.deleted.#", "project.deleted.#")
)
WEBHOOK: Final = Consumer(
    queue="webhook",
    patterns=("artifact.#", "quota.#", "retention.#", "replication_task.#", "project.deleted.#"),
    in_order=True,
)
REPLICATION: Final = Consumer(
    queue="replication",
    patterns=("artifact.pushed.#", "artifact.deleted.#", "tag.created.#", "tag.deleted.#", "project.deleted.#"),
    most=100_000,
)
CONSUMERS: Final = (AUDIT, METADATA, WEBHOOK, REPLICATION)
"""Every consumer there is. Replication heals by comparison: of very many waiting for it the oldest may be dropped."""

WITHOUT_QUEUES: Final = ("vhosts", "users", "permissions", "exchanges")
"""The kinds of definitions that stand on no queue."""
QUEUES: Final = (*(consumer.queue for consumer in CONSUMERS), REPLAY)
"""What has to exist before the first event is published."""

RELAY: Final = "relay"
OPERATOR: Final = "owner"
CORE: Final = "core"
"""The API, for administrators: it may look at dead letters, give them back or throw them away, and nothing else."""
LISTENER: Final = "consumer"
"""For consumers that are no part of Breakwater: it may read the replay stream, and nothing else."""
USERS: Final = (RELAY, *(consumer.queue for consumer in CONSUMERS), OPERATOR, CORE, LISTENER)
"""Who has a user on the broker: the parts, by the same name, and whoever else may read."""


def consumer_of(queue: str) -> Consumer | None:
    """The catalogued consumer of a queue."""
    return next((consumer for consumer in CONSUMERS if consumer.queue == queue), None)


def definitions(passwords: Mapping[str, Secret], *, vhost: str = "/", users: str = "") -> dict[str, Any]:
    """The definitions file's content; `passwords` holds one for each of USERS, whose names there begin with `users`.

    With definitions to load, RabbitMQ makes no default user: there is no guest.
    """
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(f"{users}{name}", passwords[name]) for name in USERS],
        "permissions": [_permission(name, vhost) | {"user": f"{users}{name}"} for name in USERS],
        "exchanges": [_exchange(vhost, EVENTS, "topic")]
        + [
            exchange
            for consumer in CONSUMERS
            for exchange in (
                _exchange(vhost, consumer.retry_exchange, "direct"),
                _exchange(vhost, consumer.dead_letters, "fanout"),
            )
        ],
        "queues": [_replay(vhost)] + [queue for consumer in CONSUMERS for queue in _queues(consumer, vhost)],
        "bindings": [_binding(vhost, EVENTS, REPLAY, "#")]
        + [binding for consumer in CONSUMERS for binding in _bindings(consumer, vhost)],
    }


def _queues(consumer: Consumer, vhost: str) -> list[dict[str, Any]]:
    limits: dict[str, Any] = (
        # what is dropped for room must not pile up among the dead letters
        {"x-max-length": consumer.most, "x-overflow": "drop-head"}
        if consumer.most
        else {
            "x-dead-letter-exchange": consumer.dead_letters,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    )
    turns: dict[str, Any] = {"x-single-active-consumer": True} if consumer.in_order else {}
    return [
        _quorum(vhost, consumer.queue, {"x-delivery-limit": DELIVERY_LIMIT} | turns | limits),
        *(
            _quorum(
                vhost,
                consumer.retry_queue(delay),
                {
                    "x-message-ttl": delay.milliseconds,
                    "x-dead-letter-exchange": "",
                    "x-dead-letter-routing-key": consumer.queue,
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                },
            )
            for delay in DELAYS
        ),
        # looking at a dead letter delivers it, and newer brokers drop what was delivered often unless told otherwise
        _quorum(vhost, consumer.dead_letters, {"x-delivery-limit": LOOKS_LIMIT}),
    ]


def _bindings(consumer: Consumer, vhost: str) -> list[dict[str, Any]]:
    return [
        *(_binding(vhost, EVENTS, consumer.queue, pattern) for pattern in consumer.patterns),
        *(_binding(vhost, consumer.retry_exchange, consumer.retry_queue(delay), delay.name) for delay in DELAYS),
        _binding(vhost, consumer.retry_exchange, consumer.queue, AT_ONCE),
        _binding(vhost, consumer.dead_letters, consumer.dead_letters, ""),
    ]


def _permission(name: str, vhost: str) -> dict[str, str]:
    nothing = "^$"
    write, read = nothing, nothing
    if name == RELAY:
        write = rf"^{_escaped(EVENTS)}$"
    elif name == OPERATOR:
        write, read = r"^[a-z]+\.retry$", rf"^([a-z]+\.dead-letters|{_escaped(REPLAY)})$"
    elif name == CORE:
        write, read = r"^[a-z]+\.retry$", r"^[a-z]+\.dead-letters$"
    elif name == LISTENER:
        read = rf"^{_escaped(REPLAY)}$"
    else:
        write, read = rf"^{name}\.(retry|dead-letters)$", f"^{name}$"
    return {"user": name, "vhost": vhost, "configure": nothing, "write": write, "read": read}


def _escaped(name: str) -> str:
    return name.replace(".", r"\.")


def _user(name: str, password: Secret) -> dict[str, Any]:
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + password.reveal().encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(salt + digest).decode("ascii"),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def _exchange(vhost: str, name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": vhost,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _quorum(vhost: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return _queue(vhost, name, {"x-queue-type": "quorum"} | arguments)


def _replay(vhost: str) -> dict[str, Any]:
    arguments = {
        "x-queue-type": "stream",
        "x-max-age": REPLAY_AGE,
        "x-max-length-bytes": REPLAY_BYTES,
        "x-stream-max-segment-size-bytes": REPLAY_SEGMENT_BYTES,
    }
    return _queue(vhost, REPLAY, arguments)


def _queue(vhost: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "vhost": vhost, "durable": True, "auto_delete": False, "arguments": arguments}


def _binding(vhost: str, source: str, queue: str, key: str) -> dict[str, Any]:
    return {
        "source": source,
        "vhost": vhost,
        "destination": queue,
        "destination_type": "queue",
        "routing_key": key,
        "arguments": {},
    }
