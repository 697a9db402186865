"""The broker's queues and dead letters as the API shows them."""

from gateway.core.writing import Json
from shared.messaging.dead_letters import DeadLetter
from shared.messaging.depths import QueueDepth


def queue_depth_view(depth: QueueDepth) -> Json:
    """A consumer's queue."""
    return {
        "name": depth.queue,
        "waiting": depth.waiting,
        "consumers": depth.consumers,
        "retrying": depth.retrying,
        "dead_letters": depth.dead,
    }


def dead_letter_view(letter: DeadLetter) -> Json:
    """A dead letter without its body."""
    return {
        "id": letter.id,
        "queue": letter.queue,
        "routing_key": letter.routing_key,
        "code": letter.code,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "failed_at": letter.failed_at,
    }


def opened_letter_view(letter: DeadLetter) -> Json:
    """A dead letter with its body, which need not be what an event looks like."""
    return {**dead_letter_view(letter), "body": letter.body.decode(errors="replace")}
