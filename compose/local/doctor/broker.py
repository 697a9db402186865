"""Faults of the broker: who is let in, whether it takes messages, and what waits in its queues for whom."""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import amqp

from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from shared.errors import ConfigurationError
from shared.messaging.connection import BROKER_ERRORS, connected
from shared.messaging.depths import QueueDepth, queue_depth
from shared.messaging.topology import AUDIT, CONSUMERS, OPERATOR, REPLAY, USERS
from shared.settings import Settings

LONG: Final = 1_000
"""Messages in a queue that are many."""
_BETWEEN_LOOKS: Final = 2.0
_ANSWER_SECONDS: Final = 3.0
_DISK_LIMIT: Final = 200 * 10**6
"""The broker's own, in compose/conf/rabbitmq.conf.j2."""
_NOWHERE: Final = "doctor"
"""A routing key that no queue is bound by: what is published with it is dropped."""
_LOOK: Final = "./breakwater logs --part rabbitmq tells why"
_IMPORT: Final = "rabbitmqctl import_definitions FILE there; ./breakwater events broker-definitions FILE writes it"
_ELSEWHERE: Final = "look at that broker, at its log and at the way to it; events wait in the outbox"
_AGAIN: Final = "./breakwater down, then ./breakwater up: the broker reads its users and queues at its start"


class _Blocked(Exception):
    """The broker has said that it takes nothing."""


def answers(patient: Patient) -> Iterator[Finding]:
    """Whether an operator is let in at all."""
    yield from _let_in(patient, OPERATOR)


def users(patient: Patient) -> Iterator[Finding]:
    """Whether each part is let in."""
    for user in USERS:
        if user != OPERATOR:
            yield from _let_in(patient, user)


def alarms(patient: Patient) -> Iterator[Finding]:
    """Whether it takes messages: it says so to whoever publishes, and to nobody else."""
    with connected(patient.settings(OPERATOR)) as connection:
        if takes_messages(connection):
            return
    if patient.options.amqp_host:
        yield broken("the broker has an alarm and blocks who publishes", _ELSEWHERE)
        return
    free = shutil.disk_usage(patient.layout.broker).free
    short = "disk" if free < _DISK_LIMIT else "memory"
    yield broken(
        f"the broker has an alarm and blocks who publishes: it is short of {short}; events wait in the outbox",
        f"free {short}, it goes on by itself then; long queues take much: ./breakwater events dead-letters",
    )


def takes_messages(connection: Any) -> bool:  # noqa: ANN401 - py-amqp has no types
    """Whether a message is read; the one that is sent leads to no queue. Raises one of BROKER_ERRORS."""

    def blocked(_reason: str) -> None:
        raise _Blocked

    connection.on_blocked = blocked
    channel = connection.channel()
    channel.basic_publish(amqp.Message(b""), exchange=AUDIT.retry_exchange, routing_key=_NOWHERE)
    connection.transport.sock.settimeout(_ANSWER_SECONDS)
    try:
        channel.queue_declare(REPLAY, passive=True)
    except (_Blocked, TimeoutError):
        return False
    return True


def queues(patient: Patient) -> Iterator[Finding]:
    """Whether they are there, and how long they are."""
    settings = patient.settings(OPERATOR)
    found, missing = look(settings)
    for queue in missing:
        what = f"queue {queue} or one that hangs on it is missing: nothing is published"
        yield broken(what, _IMPORT if patient.options.amqp_host else _AGAIN)
    yield from judge_queues(found)
    long = {each.queue for each in found if each.waiting >= LONG}
    if long:
        time.sleep(_BETWEEN_LOOKS)
        yield from judge_growth(found, look(settings)[0])


def look(settings: Settings) -> tuple[list[QueueDepth], list[str]]:
    """The queues, and the names of those that are missing. Raises one of BROKER_ERRORS."""
    found, missing = [], []
    with connected(settings) as connection:
        for consumer in CONSUMERS:
            channel = connection.channel()
            try:
                found.append(queue_depth(channel, consumer))
                channel.close()
            except amqp.NotFound:
                missing.append(consumer.queue)
        channel = connection.channel()
        try:
            channel.queue_declare(REPLAY, passive=True)
        except amqp.NotFound:
            missing.append(REPLAY)
    return found, missing


def judge_queues(found: Sequence[QueueDepth]) -> Iterator[Finding]:
    """Queues that nobody takes from, and those with dead letters."""
    for each in found:
        if each.consumers == 0:
            yield broken(
                f"queue {each.queue} has no consumer; {each.waiting:,} messages wait",
                f"./breakwater logs --part {each.queue} tells why its service does not take them",
            )
        if each.dead:
            yield warning(
                f"{each.dead:,} dead letters of {each.queue}: events that it could not settle",
                "./breakwater events dead-letters shows them with their reasons; then redrive or discard them",
            )


def judge_growth(before: Sequence[QueueDepth], after: Sequence[QueueDepth]) -> Iterator[Finding]:
    """Long queues that do not become shorter between two looks."""
    first = {each.queue: each.waiting for each in before}
    for each in after:
        if each.waiting >= LONG and each.consumers and each.waiting >= first.get(each.queue, 0):
            yield warning(
                f"queue {each.queue} does not become shorter: {each.waiting:,} messages wait",
                f"./breakwater logs --part {each.queue} tells what takes so long; {each.retrying:,} are being retried",
            )


def _let_in(patient: Patient, user: str) -> Iterator[Finding]:
    outside = patient.options.amqp_host
    again = _IMPORT if outside else _AGAIN
    try:
        with connected(patient.settings(user)):
            pass
    except ConfigurationError as error:
        yield broken(error.sentence, "./breakwater up makes what is missing among the secrets")
    except amqp.AccessRefused:
        yield broken(f"the broker does not accept the password of {user}", again)
    except amqp.NotAllowed:
        yield broken(f"the broker does not let {user} in: its virtual host is not there for it", again)
    except BROKER_ERRORS:
        yield broken("the broker does not answer", _ELSEWHERE if outside else _LOOK)


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="broker",
        looks_for="a broker that answers nobody",
        remedy="`./breakwater logs --part rabbitmq` tells why",
        ask=answers,
    ),
    Check(
        name="broker-users",
        looks_for="a part whose password the broker does not accept",
        remedy="restart the broker with `./breakwater down` and `up`: it reads its users at its start",
        ask=users,
    ),
    Check(
        name="alarms",
        looks_for="a broker that is short of memory or disk and blocks who publishes",
        remedy="free what it lacks; the events in the outbox arrive by themselves then",
        ask=alarms,
    ),
    Check(
        name="queues",
        looks_for="queues that are missing, have no consumer, grow, or have dead letters",
        remedy="`./breakwater logs --part NAME` of the queue's service; `./breakwater events dead-letters`",
        ask=queues,
    ),
)
