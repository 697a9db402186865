"""Parked notifications as the API shows them."""

from gateway.core.writing import Json, time_or_never
from services.webhook.queries.parked import Parked, ParkedEntry


def parked_view(entry: ParkedEntry) -> Json:
    """A parked notification without its body."""
    return {
        "id": str(entry.id),
        "received_time": time_or_never(entry.received_at),
        "reason": entry.reason,
        "address": entry.address,
        "size": entry.size,
    }


def opened_parked_view(parked: Parked) -> Json:
    """A parked notification with its body, which is whatever was sent, as far as it was kept."""
    return {**parked_view(parked), "body": parked.body.decode(errors="replace")}
