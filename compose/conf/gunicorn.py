"""What the three gunicorn processes share, in containers and on one machine alike: read by `gunicorn -c python:…`."""

import gc
import os
import sys
from importlib import import_module
from typing import Any

from shared.heap import give_back

# not by the settings: what reads them would stay in the master of the event stream, 5 MB
_REPLICAS = "BREAKWATER_REPLICAS"

# structlog loads rich, 7 MB in each process, for terminals alone
sys.modules["rich"] = None  # type: ignore[assignment]  # what makes an import fail as if it were not installed

# longer than nginx keeps its connections: the side that reuses them must not find one closed
keepalive = 75
timeout = 60
graceful_timeout = 8
# nginx limits both; tokens and the names of robots make long ones
limit_request_line = 0
limit_request_field_size = 32_768
control_socket_disable = True


def on_starting(server: Any) -> None:  # noqa: ANN401 - gunicorn's arbiter has no types
    """Load the code before several workers are forked, so that they share its memory; each builds its app itself.

    Beside a replica one alone does too: it has no socket before, and nobody waits there for it to begin.
    """
    if server.cfg.workers > 1 or os.environ.get(_REPLICAS, "") not in {"", "1"}:
        import_module(server.app.app_uri.partition(":")[0])
        import_module("sqlalchemy.dialects.postgresql.psycopg")
        give_back()
        gc.freeze()


def post_worker_init(_worker: Any) -> None:  # noqa: ANN401 - gunicorn's workers have no types
    """The app is built: what that took is not needed again."""
    give_back()
