"""Runs one nameko service: `python -m shared.messaging.runner services.audit.service:AuditService`.

The only entry point of eventlet processes: the standard library is patched first, and psycopg told to wait through it.
"""

import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from logging import ERROR, getLogger
from typing import Any, Final

MOST_WORKERS: Final = 16
STOP_SECONDS: Final = 25
AT_ONCE: Final = frozenset({"intake", "relay", "audit"})
"""Parts on the way of a push, of the live stream and of the record."""
NICE: Final = 10
"""Of all others: where processors are short they wait, and not logins, pushes and pulls."""


def patch() -> None:
    """Make blocking calls yield to other green threads. Call it before anything else is imported."""
    os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"  # psycopg's own wait, in C, would stop every green thread
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # a resolver of its own, of 12 MB a process, that asks no nsswitch
    import eventlet.debug  # noqa: PLC0415 - reads the environment when it is imported

    eventlet.monkey_patch()
    eventlet.debug.hub_exceptions(False)  # whoever waits for a green thread is told already


def check_patched() -> None:
    """Refuse to run where psycopg was imported too early to heed the patch."""
    waiting = importlib.import_module("psycopg.waiting")
    if waiting.wait.__name__ != "wait_select":
        raise RuntimeError("psycopg waits outside eventlet: it was imported before the runner had patched")


def main(arguments: list[str]) -> int:
    """Run the service named `module:Class` until SIGTERM; returns the exit code."""
    if len(arguments) != 1 or ":" not in arguments[0]:
        sys.stderr.write("usage: python -m shared.messaging.runner module:Class\n")
        return 2
    patch()
    sys.modules["rich"] = None  # type: ignore[assignment]  # structlog would load it, 7 MB, for terminals alone
    from shared.errors import BreakwaterError  # noqa: PLC0415 - only after the patch

    try:
        return _run(arguments[0])
    except BreakwaterError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1


def _run(service: str) -> int:
    import eventlet.patcher  # noqa: PLC0415 - only after the patch
    from nameko.containers import ServiceContainer  # noqa: PLC0415 - only after the patch

    from shared import logging  # noqa: PLC0415 - only after the patch
    from shared.messaging.dependencies import NOTE, SETTINGS, TALLY  # noqa: PLC0415 - only after the patch
    from shared.messaging.liveness import Liveness  # noqa: PLC0415 - only after the patch
    from shared.messaging.note import Need, Note  # noqa: PLC0415 - only after the patch
    from shared.metrics.recording import Recorder  # noqa: PLC0415 - only after the patch
    from shared.metrics.tally import Tally  # noqa: PLC0415 - only after the patch
    from shared.settings import load_settings  # noqa: PLC0415 - only after the patch
    from shared.tracing import current as tracing  # noqa: PLC0415 - only after the patch

    settings = load_settings()
    logging.configure(settings.part, level=settings.log_level)
    getLogger("nameko").setLevel(ERROR)  # what entrypoints expect, they log themselves
    tracing.begin(settings, start=_in_a_thread, sleep=eventlet.patcher.original("time").sleep)
    module, _, name = service.partition(":")
    web_server = f"{settings.intake_host}:{settings.intake_port}"
    tally = Tally()
    note = Note(settings.ready_note)
    recorder = Recorder(settings, tally, told=lambda found: note.tell(Need.DATABASE, found=found))
    container = ServiceContainer(
        getattr(importlib.import_module(module), name),
        {SETTINGS: settings, TALLY: tally, NOTE: note, "WEB_SERVER_ADDRESS": web_server, "max_workers": MOST_WORKERS},
    )
    check_patched()
    if settings.part not in AT_ONCE:
        os.nice(NICE)
    log = logging.get()

    eventlet.spawn_n(_stop_on_signal, container)
    container.start()
    # whoever waits for the service to be ready compares this with the process that runs
    note.begin()
    Liveness(settings.part, note).keep()
    log.info("started", service=container.service_name)
    recorder.keep()
    container.wait()
    recorder.close()
    tracing.end()
    log.info("stopped")
    return 0


def _in_a_thread(function: Callable[[], None]) -> None:
    """A thread of the system's: what it waits for stops no green one."""
    import eventlet.patcher  # noqa: PLC0415 - only after the patch

    eventlet.patcher.original("threading").Thread(target=function, name="traces", daemon=True).start()


def _stop_on_signal(container: Any) -> None:  # noqa: ANN401 - nameko has no types
    """Wait for SIGTERM, then end gracefully; where that takes too long, end all the same.

    A signal's handler runs while the hub sleeps and would not wake it: hence the byte through a socket.
    """
    import eventlet  # noqa: PLC0415 - only after the patch

    from shared import logging  # noqa: PLC0415 - only after the patch

    asked, asking = socket.socketpair()
    asking.setblocking(False)
    signal.set_wakeup_fd(asking.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    asked.recv(1)
    logging.get().info("stopping")
    if eventlet.with_timeout(STOP_SECONDS, container.stop, timeout_value=False) is False:
        container.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
