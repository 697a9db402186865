"""What holds for each process that runs tests, the workers of a run in parts included."""

import os
import signal

from xdist.workermanage import NodeManager


def pytest_configure() -> None:
    # pytest's readline tells every child process of a terminal of 80 columns: what a command prints would be broken
    # into lines in a worker, and nowhere else
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    NodeManager.EXIT_TIMEOUT = 20  # a worker stops its servers within fifteen seconds, or gives up by itself


def pytest_keyboard_interrupt() -> None:
    # a worker is asked to end by the terminal and by the run's main process: the second time would cut off the first
    if "PYTEST_XDIST_WORKER" in os.environ:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
