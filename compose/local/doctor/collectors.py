"""Faults of the way to what is outside and only listens: a collector of lines, and one of traces."""

import socket
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from compose.local.doctor.finding import Finding, warning
from compose.local.doctor.patient import Check, Patient

_SECONDS: Final = 3.0
_PORTS: Final = {"http": 80, "https": 443}


def lines(patient: Patient) -> Iterator[Finding]:
    """Whether a collector of lines can be reached; one by UDP has to have an address, more it tells nobody."""
    there = patient.options.log_forward
    if there and (why := unreachable(there)):
        yield warning(
            f"the collector of BREAKWATER_LOG_FORWARD, {there}, is not reached: {why}",
            "look at that collector and the way to it; lines wait on this disk, up to 200 MB of them",
        )


def traces(patient: Patient) -> Iterator[Finding]:
    """Whether a collector of traces takes connections."""
    there = str(patient.options.traces_endpoint or "")
    if there and (why := unreachable(there)):
        yield warning(
            f"the collector of BREAKWATER_TRACES_ENDPOINT, {there}, is not reached: {why}",
            "look at that collector and the way to it; traces of the meantime are lost, and nothing else is",
        )


def unreachable(url: str) -> str | None:
    """Why nothing can be sent there; None where it can."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    try:
        if parts.scheme == "udp":
            socket.getaddrinfo(host, port)
        else:
            socket.create_connection((host, port), _SECONDS).close()
    except TimeoutError:
        return "no answer in time"
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    return None


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="log-forward",
        looks_for="a collector of BREAKWATER_LOG_FORWARD that is not reached",
        remedy="look at that collector and the way to it; lines wait meanwhile",
        ask=lines,
    ),
    Check(
        name="traces",
        looks_for="a collector of BREAKWATER_TRACES_ENDPOINT that is not reached",
        remedy="look at that collector and the way to it",
        ask=traces,
    ),
)
