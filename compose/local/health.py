"""Asks each part whether it does its work: by its own protocol, never by its pid alone."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from compose.local import asking, database
from compose.local.site import Site

Probe = Callable[[int], bool]
"""Asks the part whose main process has this id."""


def probes(site: Site) -> dict[str, Probe]:
    """A question for each part."""
    run = site.layout.run
    asked: dict[str, Callable[[], bool]] = {
        "log": lambda: asking.takes_lines(site.log_socket),
        "postgres": lambda: database.answers(site),
        "rabbitmq": lambda: asking.speaks_amqp(site.ports.amqp),
        "registry": lambda: asking.status(run / "registry.sock", "/v2/") == HTTPStatus.UNAUTHORIZED,
        "intake": lambda: asking.serves(site.ports.intake, asking.INTAKE_TARGET),
        "proxy": lambda: _proxy(site),
    }
    at_sockets = {
        part: partial(lambda path, target: asking.status(path, target) == HTTPStatus.OK, run / f"{socket}.sock", target)
        for part, (socket, target) in asking.AT_SOCKETS.items()
    }
    consumers: dict[str, Probe] = {part: partial(asking.is_ready, run, part) for part in asking.WITH_NOTES}
    return {part: _by_protocol(ask) for part, ask in (asked | at_sockets).items()} | consumers


def _proxy(site: Site) -> bool:
    """A connection is taken by the kernel alone: its numbers are told by a process that goes on."""
    listens = asking.listens(site.options.port, str(site.options.bind))
    return listens and asking.status(site.layout.proxy_status, "/") == HTTPStatus.OK


def _by_protocol(ask: Callable[[], bool]) -> Probe:
    """What is known by an answer needs no process id."""
    return lambda _pid: ask()
