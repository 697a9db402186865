"""An entrypoint for a service's endless work: `@forever` runs the method again and again until the service stops."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import eventlet
import eventlet.event
from nameko.extensions import Entrypoint
from nameko.timer import timer

from shared import logging
from shared.errors import BreakwaterError
from shared.messaging.connection import BROKER_ERRORS, Backoff
from shared.messaging.dependencies import tally_of
from shared.messaging.outage import is_outage
from shared.metrics.figures import INTERRUPTIONS
from shared.postgres import AWAY

STOP_SECONDS: Final = 10

Service = TypeVar("Service")


class Stopping:
    """Tells endless work that the process is to end."""

    def __init__(self) -> None:
        self._event = eventlet.event.Event()

    def __bool__(self) -> bool:
        return bool(self._event.ready())

    def set(self) -> None:
        """Ask for the end."""
        if not self._event.ready():
            self._event.send()

    def wait(self, seconds: float) -> bool:
        """Sleep, or less when the end is asked for; says whether it is."""
        with eventlet.Timeout(seconds, exception=False):
            self._event.wait()
        return bool(self)


class Forever(Entrypoint):  # type: ignore[misc]  # nameko has no types
    """Calls `method(stopping)`; when it raises, again after a capped, jittered pause."""

    def __init__(self, **options: object) -> None:
        self._stopping = Stopping()
        self._thread: Any = None
        super().__init__(expected_exceptions=(Exception,), **options)

    def start(self) -> None:
        """Begin."""
        self._thread = self.container.spawn_managed_thread(self._run, identifier=self.method_name)

    def stop(self) -> None:
        """Let the method end by itself, for a while."""
        self._stopping.set()
        with eventlet.Timeout(STOP_SECONDS, exception=False):
            self._thread.wait()
        self._thread.kill()

    def kill(self) -> None:
        """End now."""
        if self._thread is not None:
            self._thread.kill()

    def _run(self) -> None:
        backoff = Backoff()
        log = logging.get(work=self.method_name)
        while not self._stopping:
            error = self._once()
            if error is None:
                backoff.reset()
            elif not self._stopping:
                tally_of(self.container).count(INTERRUPTIONS, self.method_name)
                seconds = backoff.next()
                sentence = sentence_of(error)
                log.warning(
                    "work_interrupted",
                    reason=sentence or type(error).__name__,
                    retry_in=round(seconds, 2),
                    exc_info=None if sentence else error,
                )
                self._stopping.wait(seconds)

    def _once(self) -> Exception | None:
        done = eventlet.event.Event()

        def finished(_context: object, result: object, exc_info: Any) -> tuple[object, Any]:  # noqa: ANN401 - nameko's
            done.send(None if exc_info is None else exc_info[1])
            return result, exc_info

        self.container.spawn_worker(self, (self._stopping,), {}, handle_result=finished)
        raised: Exception | None = done.wait()
        return raised


def sentence_of(error: Exception) -> str | None:
    """What is told of an outage, or of a refusal; None of a fault of ours, whose traceback is needed."""
    if isinstance(error, (BreakwaterError, *BROKER_ERRORS)):
        return str(error) or type(error).__name__
    if is_outage(error):
        # SQLAlchemy keeps the driver's in its own; not every process that waits here has loaded it
        said, _, _ = str(getattr(error, "orig", error)).partition("\n")
        return f"{AWAY} ({said})"
    return None


def forever(method: Callable[[Service, Stopping], None]) -> Callable[[Service, Stopping], None]:
    """Have a service's method called for as long as the service runs."""
    decorated: Callable[[Service, Stopping], None] = Forever.decorator(method)
    return decorated


def every(seconds: float) -> Callable[[Callable[[Service], None]], Callable[[Service], None]]:
    """Have a service's method called at once and then at this interval, also after it has raised."""
    decorator: Callable[[Callable[[Service], None]], Callable[[Service], None]] = timer(interval=seconds, eager=True)
    return decorator
