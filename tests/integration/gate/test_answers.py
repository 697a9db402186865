"""What the registry answers is noted, also where the database is away at that moment."""

from __future__ import annotations

import socket as sockets
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.images import make_image
from tests.integration.conftest import Database

if TYPE_CHECKING:
    from tests.integration.gate.conftest import Expected
    from tests.integration.registry_rig import Pusher, RegistryServer

CREATED: Final = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("away", "noted"), [(0.5, True), (5.0, False)])
def test_an_answer_that_comes_while_the_database_is_away_is_noted_once_it_is_back(
    app: str,
    pusher: Pusher,
    registry: RegistryServer,
    database: Database,
    expected: Expected,
    away: float,
    *,
    noted: bool,
) -> None:
    """The registry has taken the push in any case, so the client is told so, soon."""
    registry.kill()
    registry.socket.unlink(missing_ok=True)
    name = database.name
    with sockets.socket(sockets.AF_UNIX) as listener, database.server.connect() as connection:
        listener.bind(str(registry.socket))
        listener.listen(1)

        def answer_without_a_database() -> None:
            asked, _ = listener.accept()
            with asked:
                asked.recv(65536)
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                asked.sendall(CREATED)
                time.sleep(away)
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())

        registry_s = threading.Thread(target=answer_without_a_database)
        registry_s.start()
        began = time.monotonic()
        answer = pusher.put_manifest(app, "v1", make_image("one").manifest)
        told_after = time.monotonic() - began
        registry_s.join(30)
    registry.start()
    assert (answer.status, told_after < 4.5) == (201, True)
    assert expected.rows("state, answered_at IS NOT NULL") == [("open", noted)]
