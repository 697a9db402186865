"""Asks each part whether it does its work: by its own protocol, never by its pid alone.

What leaves notes has begun its work once there is one, and waits by itself for whatever it still lacks.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

from compose.local import asking, database
from compose.local.site import Site
from shared.lines import takes_lines

Probe = Callable[[int], bool]
"""Asks the part whose main process has this id."""


def probes(site: Site) -> dict[str, Probe]:
    """A question for each part."""
    run = site.layout.run
    asked: dict[str, Callable[[], bool]] = {
        "log": lambda: takes_lines(site.log_socket),
        "postgres": lambda: database.answers(site),
        "rabbitmq": lambda: asking.speaks_amqp(site.ports.amqp),
        "registry": lambda: asking.status(run / "registry.sock", "/v2/") == HTTPStatus.UNAUTHORIZED,
        "intake": lambda: asking.serves(site.ports.intake, asking.READY),
        "proxy": lambda: _proxy(site),
    }
    at_sockets = {
        part: partial(_answers, run / f"{socket}.sock", asking.READY) for part, socket in asking.AT_SOCKETS.items()
    }
    consumers: dict[str, Probe] = {part: partial(asking.is_alive, run, part) for part in asking.WITH_NOTES}
    return {part: _by_protocol(ask) for part, ask in (asked | at_sockets).items()} | consumers


def waits_for(site: Site, part: str, pid: int, *, ready: bool) -> str:
    """What a part that is alive lacks, in words; nothing where it lacks nothing, or does not say so.

    `ready` is what its probe has found.
    """
    run = site.layout.run
    if part in asking.WITH_NOTES:
        return " and ".join(f"the {need}" for need in asking.lacks(run, part, pid) or ())
    if ready:
        return ""
    if part == "intake":
        is_alive = asking.serves(site.ports.intake, asking.LIVE)
    else:
        socket = asking.AT_SOCKETS.get(part)
        is_alive = socket is not None and _answers(run / f"{socket}.sock", asking.LIVE)
    return "the database" if is_alive else ""


def _answers(path: Path, target: str) -> bool:
    return asking.status(path, target) == HTTPStatus.OK


def _proxy(site: Site) -> bool:
    """A connection is taken by the kernel alone: its numbers are told by a process that goes on."""
    listens = asking.listens(site.options.port, str(site.options.bind))
    return listens and asking.status(site.layout.proxy_status, "/") == HTTPStatus.OK


def _by_protocol(ask: Callable[[], bool]) -> Probe:
    """What is known by an answer needs no process id."""
    return lambda _pid: ask()
