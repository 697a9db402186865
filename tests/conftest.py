"""What holds for each process that runs tests, the workers of a run in parts included."""

import os

from xdist.workermanage import NodeManager


def pytest_configure() -> None:
    # pytest's readline tells every child process of a terminal of 80 columns: what a command prints would be broken
    # into lines in a worker, and nowhere else
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    # a run that is broken off stops its servers first: ten seconds, and they were left behind
    NodeManager.EXIT_TIMEOUT = 60
