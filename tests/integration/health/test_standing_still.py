"""A PostgreSQL that stands still: every part says within seconds that it cannot work, and that it is alive."""

from __future__ import annotations

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from compose.docker import health
from compose.local import health as on_a_machine
from shared.auth.passwords import hash_password
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from tests.bench.cpu import descendants
from tests.integration.conftest import Database
from tests.integration.core.gunicorn import UnixConnection, core
from tests.integration.core.people import ADMIN, BASE
from tests.integration.stream.conftest import event_mount
from tests.integration.token.mount import prepare_secrets, token_mount
from tests.integration.webhook.conftest import intake_of
from tests.servers import Postgres, short_folder, stand_still, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROMISED: Final = 3.0
"""Seconds within which whoever asks is answered."""
ROUNDS: Final = 4
"""Each second one. All in all more is asked than the API has threads or the intake connections."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that runs, and how it is reached."""

    name: str
    connect: Callable[[], HTTPConnection]

    def ask(self, target: str) -> tuple[int, float]:
        """The status, and after how many seconds."""
        begun = time.monotonic()
        connection = self.connect()
        try:
            connection.request("GET", target, headers=ADMIN.headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, time.monotonic() - begun
        finally:
            connection.close()


@contextmanager
def standing_still(server: Postgres) -> Iterator[None]:
    """All processes of a PostgreSQL are stopped; the first one first, so that it makes no others."""
    main = int((server.home / "data" / "postmaster.pid").read_text().split()[0])
    stopped: list[int] = []
    try:
        stopped.append(main)
        stand_still(main)
        others = descendants(main)[1:]
        stopped.extend(others)
        stand_still(*others)
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)
        # runuser, where that started it, stops with its child
        os.killpg(os.getpgid(main), signal.SIGCONT)


@pytest.fixture(scope="module")
def database(postgres_server: Postgres, migrated_template: str) -> Iterator[Database]:
    """With secrets of this module's own."""
    name = postgres_server.new_database(migrated_template)
    with short_folder() as home:
        shutil.copytree(postgres_server.home / "secrets", home / "secrets")
        shutil.copy(postgres_server.home / "instance-id", home)
        (home / "data").symlink_to(postgres_server.home / "data")
        database = Database(replace(postgres_server, home=home), name)
        prepare_secrets(database.settings("token"))
        with database.superuser() as connection:
            connection.execute(
                "UPDATE core.users SET password_hash = %s WHERE id = 1", (hash_password(ADMIN.password),)
            )
        credential = home / "secrets" / "metadata" / "system-credential"
        if not credential.exists():
            credential.write_text("the credential of a test\n")
        yield database
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def parts(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Part]]:
    """All that answer requests, as they run."""
    folder = tmp_path_factory.mktemp("parts")
    with ExitStack() as running:
        core_socket = running.enter_context(core(database)).socket
        token_socket = running.enter_context(token_mount(database.settings("token"), database)).socket
        stream = urlsplit(running.enter_context(event_mount(database, folder)))
        intake = running.enter_context(intake_of(database, folder / "intake"))
        yield {
            part.name: part
            for part in (
                Part(name="core", connect=lambda: UnixConnection(core_socket)),
                Part(name="token", connect=lambda: UnixConnection(token_socket)),
                Part(name="events", connect=lambda: HTTPConnection("127.0.0.1", stream.port or 0, timeout=20)),
                Part(name="intake", connect=lambda: HTTPConnection("127.0.0.1", intake.port, timeout=20)),
            )
        }


def recovers(parts: dict[str, Part]) -> None:
    for part in parts.values():
        wait_for(lambda part=part: part.ask("/readyz")[0] == 200, seconds=10, what=f"{part.name} is ready again")  # type: ignore[misc]


@pytest.mark.parametrize("name", ["core", "token", "events", "intake"])
def test_one_that_can_work_says_so(parts: dict[str, Part], name: str) -> None:
    wait_for(lambda: parts[name].ask("/readyz")[0] == 200, seconds=10, what=f"{name} is ready")
    assert parts[name].ask("/livez")[0] == 200


def test_readiness_is_refused_in_time_and_liveness_is_not_however_often_it_is_asked(
    parts: dict[str, Part], database: Database
) -> None:
    targets = {name: ["/readyz"] for name in parts} | {
        "core": ["/readyz", "/healthz"], "intake": ["/readyz"] * 2,
    }  # fmt: skip
    recovers(parts)
    with standing_still(database.server), ThreadPoolExecutor(6) as asking:
        wait_for(lambda: parts["events"].ask("/readyz")[0] == 503, seconds=10, what="the stream misses its log")
        for _ in range(ROUNDS):
            begun = time.monotonic()
            asked = [asking.submit(parts[name].ask, target) for name, each in targets.items() for target in each]
            answers = [each.result() for each in asked]
            assert {status for status, _ in answers} == {503}, answers
            assert max(seconds for _, seconds in answers) < PROMISED, answers
            alive = [part.ask("/livez") for part in parts.values()]
            assert {status for status, _ in alive} == {200}, alive
            assert max(seconds for _, seconds in alive) < PROMISED, alive
            time.sleep(max(0.0, 1 - (time.monotonic() - begun)))
    recovers(parts)


def test_requests_that_wait_for_the_database_keep_nobody_from_asking(
    parts: dict[str, Part], database: Database
) -> None:
    """They are more than the mount has threads; what is asked waits behind them, and not for the database."""
    core = parts["core"]
    users = f"{BASE}/users/current"
    recovers(parts)
    with ThreadPoolExecutor(40) as clients:
        assert {status for status, _ in clients.map(core.ask, [users] * 24)} == {200}
        with standing_still(database.server):
            waiting = [clients.submit(core.ask, users) for _ in range(40)]
            time.sleep(0.5)
            begun = time.monotonic()
            assert core.ask("/livez")[0] == 200
            assert core.ask("/healthz")[0] == 503
            assert time.monotonic() - begun < 10
            assert {each.result()[0] for each in waiting} == {503}
    recovers(parts)


def test_a_recorder_tells_whether_the_database_was_there(database: Database) -> None:
    found: list[bool] = []
    recorder = Recorder(database.settings("audit"), Tally(), told=found.append)
    recorder.close()
    with standing_still(database.server):
        begun = time.monotonic()
        recorder.close()
        assert time.monotonic() - begun < 10
    recorder.close()
    assert found == [True, False, True]


def test_both_questions_are_asked_at_a_part_s_socket(
    parts: dict[str, Part], database: Database, tmp_path: Path
) -> None:
    connection = parts["core"].connect()
    assert isinstance(connection, UnixConnection)
    (tmp_path / "core.sock").symlink_to(connection._path)

    def well(*, alive: bool) -> bool:
        return health.is_well("core", alive=alive, run=tmp_path, work=tmp_path)

    # as much of an instance on a machine as is asked for
    site: Any = SimpleNamespace(layout=SimpleNamespace(run=tmp_path))
    recovers(parts)
    assert [well(alive=False), well(alive=True)] == [True, True]
    assert on_a_machine.waits_for(site, "core", 0, ready=True) == ""
    with standing_still(database.server):
        assert [well(alive=False), well(alive=True)] == [False, True]
        assert on_a_machine.waits_for(site, "core", 0, ready=False) == "the database"
        assert on_a_machine.waits_for(site, "token", 0, ready=False) == ""  # nothing answers there
