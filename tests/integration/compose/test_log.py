"""The log's one place: nothing is lost when rsyslogd is restarted or killed, and nothing waits for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml
from sqlalchemy import create_engine

from compose.conf import views
from compose.conf.render import render
from compose.local.options import CHECKOUT
from gateway.core.health import build_health_check
from shared.lines import takes_lines, tell
from shared.settings import Settings
from tests.servers import free_port, short_folder, stand_still, start, stop, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = 2_000


@contextmanager
def log_folder(*, engine_asks: bool = False, forward: str = "") -> Iterator[Path]:
    """A folder with the configuration of a log that takes over what `core` says."""
    with short_folder() as folder:
        for name in ("log", "spool", "state"):
            (folder / name).mkdir()
        (folder / "rotate.sh").write_text(render("rotate.sh", {"kept": 2}))
        (folder / "rotate.sh").chmod(0o755)
        view = views.log(
            folder=folder / "log",
            state=folder / "state",
            rotate=folder / "rotate.sh",
            parts=("core", "proxy"),
            spools={"core": folder / "spool" / "core.log"},
            socket=folder / "log.sock",
            engine_asks=engine_asks,
            forward=forward,
        )
        (folder / "rsyslog.conf").write_text(render("rsyslog.conf", view))
        yield folder


def start_log(folder: Path) -> subprocess.Popen[bytes]:
    (folder / "pid").unlink(missing_ok=True)
    program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin") or "rsyslogd"
    process = start([program, "-n", "-f", folder / "rsyslog.conf", "-i", folder / "pid"], log=folder / "out")
    wait_for(lambda: _takes(folder / "log.sock"), seconds=10, what="rsyslogd takes lines")
    return process


def kept(folder: Path) -> list[str]:
    """What the parts said, without the time at which it was taken over."""
    file = folder / "log" / "core.log"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.partition(" ")[2] for line in lines]


def say(folder: Path, first: int, count: int) -> None:
    with (folder / "spool" / "core.log").open("a") as spool:
        spool.writelines(f'{{"event": "line {number}"}}\n' for number in range(first, first + count))


def said(count: int) -> list[str]:
    return [f'{{"event": "line {number}"}}' for number in range(count)]


def is_well_in_a_container(socket: Path) -> bool:
    """By the health check of its container, on a socket elsewhere."""
    file = CHECKOUT / "compose" / "docker" / "compose.yaml"
    word, *command, place = yaml.safe_load(file.read_text())["services"]["log"]["healthcheck"]["test"]
    assert (word, place) == ("CMD", "/var/lib/breakwater/lines/log.sock")
    command = [argument.replace("$$", "$") for argument in command]
    return subprocess.run([*command, socket], check=False, timeout=10).returncode == 0


def is_well_by_the_api(socket: Path) -> bool:
    """By /api/v2.0/health of an instance on a machine."""
    settings = Settings(home=socket.parent, run=socket.parent, log_socket=socket)
    check = build_health_check(settings, create_engine("postgresql+psycopg://"))
    (told,) = [each for each in check.components() if each.name == "log"]
    assert told.problem in {None, "the log takes no lines"}
    return told.problem is None


ASKED = (takes_lines, is_well_in_a_container, is_well_by_the_api)


def well(folder: Path) -> list[bool]:
    return [ask(folder / "log.sock") for ask in ASKED]


def test_one_that_stands_still_takes_nothing_and_being_asked_is_no_line() -> None:
    with log_folder() as folder:
        process = start_log(folder)
        try:
            assert well(folder) == [True, True, True]
            stand_still(process.pid)
            assert well(folder) == [False, False, False]
            for _ in range(20):  # more than the socket keeps: nobody waits until there is room
                takes_lines(folder / "log.sock", seconds=0)
            begun = time.monotonic()
            assert not is_well_in_a_container(folder / "log.sock")
            assert time.monotonic() - begun < 5
            process.send_signal(signal.SIGCONT)
            assert well(folder) == [True, True, True]
            say(folder, 0, 1)
            wait_for(lambda: kept(folder) == said(1), seconds=20, what="what is said is kept")
        finally:
            stop(process)
        assert well(folder) == [False, False, False]
        assert {file.name for file in (folder / "log").iterdir()} == {"core.log"}


def test_a_program_s_complaint_is_kept_where_there_is_a_log_and_holds_nobody_up_where_there_is_none() -> None:
    with log_folder(engine_asks=True) as folder:
        tell(folder / "log.sock", "core", "there is no log yet")
        process = start_log(folder)
        try:
            tell(folder / "log.sock", "core", "something is wrong: BREAKWATER_X is not valid")
            file = folder / "log" / "core.log"
            wait_for(lambda: file.exists() and file.read_text().count("\n") == 1, seconds=20, what="its line is kept")
            stand_still(process.pid)
            begun = time.monotonic()
            for _ in range(20):
                tell(folder / "log.sock", "core", "nobody reads", seconds=0.05)
            assert time.monotonic() - begun < 5
        finally:
            process.send_signal(signal.SIGCONT)
            stop(process)
        assert file.read_text().partition(" ")[2].splitlines()[0] == "something is wrong: BREAKWATER_X is not valid"


def test_lines_said_while_rsyslogd_is_down_are_kept_once_it_is_back() -> None:
    with log_folder() as folder:
        process = start_log(folder)
        say(folder, 0, LINES)
        wait_for(lambda: len(kept(folder)) == LINES, seconds=20, what="the first lines are kept")
        stop(process)
        say(folder, LINES, LINES)
        process = start_log(folder)
        try:
            wait_for(lambda: len(kept(folder)) >= 2 * LINES, seconds=20, what="the other lines are kept")
        finally:
            stop(process)
        assert kept(folder) == said(2 * LINES)


def test_killed_rsyslogd_loses_nothing_and_repeats_little() -> None:
    with log_folder() as folder:
        process = start_log(folder)
        for batch in range(20):
            say(folder, batch * 100, 100)
            if batch == 10:
                wait_for(lambda: len(kept(folder)) > 300, seconds=20, what="lines are kept")
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        process = start_log(folder)
        try:
            wait_for(lambda: said(LINES)[-1] in kept(folder), seconds=20, what="the last line is kept")
        finally:
            stop(process)
        lines = kept(folder)
    assert set(lines) == set(said(LINES))
    assert len(lines) - LINES < 1_100


@pytest.mark.parametrize("moment", range(24))
def test_rsyslogd_killed_in_a_burst_loses_one_line_at_most(moment: int) -> None:
    """It writes down where it has read to before it passes on the line that it is at; hundreds were lost with that."""
    lines = 1_200
    with log_folder() as folder:
        process = start_log(folder)
        for first in range(0, lines, 100):
            say(folder, first, 100)
        time.sleep(moment / 1200)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        say(folder, lines, 1)
        process = start_log(folder)
        try:
            wait_for(lambda: said(lines + 1)[-1] in kept(folder), seconds=20, what="the last line is kept")
        finally:
            stop(process)
        assert len(set(said(lines)) - set(kept(folder))) <= 1


def rotate(folder: Path) -> None:
    """As supervisord does: one older file is kept."""
    spool = folder / "spool" / "core.log"
    spool.rename(folder / "spool" / "core.log.1")


def test_spool_that_is_rotated_at_any_moment_is_read_to_its_end_and_no_other_is_read_again() -> None:
    """What lies in the new one before rsyslogd has heard of it may be read twice: seldom, and by a fault of its own."""
    with log_folder() as folder:
        process = start_log(folder)
        say(folder, 0, 500)
        rotate(folder)
        say(folder, 500, 500)
        wait_for(lambda: len(set(kept(folder))) >= 1_000, seconds=20, what="lines around a rotation are kept")
        stop(process)
        say(folder, 1_000, 500)
        rotate(folder)
        say(folder, 1_500, 500)
        process = start_log(folder)
        try:
            wait_for(lambda: len(set(kept(folder))) >= LINES, seconds=20, what="so are those of an unseen one")
        finally:
            stop(process)
        times = Counter(kept(folder))
    assert set(times) == set(said(LINES))
    begun_anew = {*said(1_000)[500:], *said(2_000)[1_500:]}
    assert {line for line, often in times.items() if often > 1} <= begun_anew
    assert max(times.values()) <= 2


@pytest.mark.parametrize("engine_asks", [True, False])
def test_socket_stays_where_an_engine_asks_for_it_while_nobody_listens(*, engine_asks: bool) -> None:
    """Compose v2 has containers made anew when the log has ended, and the engine makes none without the file."""
    with log_folder(engine_asks=engine_asks) as folder:
        stop(start_log(folder))
        assert (folder / "log.sock").is_socket() is engine_asks
        # as the script does that starts it in its container
        (folder / "log.sock").unlink(missing_ok=True)
        stop(start_log(folder))


def test_part_that_writes_to_the_socket_gets_its_own_file() -> None:
    with log_folder() as folder:
        process = start_log(folder)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.connect(str(folder / "log.sock"))
                client.send(b'<190>Nov 23 17:31:00 proxy: {"event":"request"}')
            file = folder / "log" / "proxy.log"
            wait_for(file.exists, seconds=10, what="the proxy's file is there")
            wait_for(lambda: bool(file.read_text()), seconds=10, what="the proxy's line is there")
        finally:
            stop(process)
        assert file.read_text().partition(" ")[2] == '{"event":"request"}\n'


def test_full_file_is_rotated_and_the_oldest_is_dropped() -> None:
    with log_folder() as folder:
        config = folder / "rsyslog.conf"
        config.write_text(config.read_text().replace(f",{views.LOG_FILE_BYTES},", ",20000,"))
        process = start_log(folder)
        try:
            for batch in range(8):
                say(folder, batch * 500, 500)
                last = f"line {batch * 500 + 499}"
                wait_for(
                    lambda last=last: any(last in file.read_text() for file in (folder / "log").glob("core.log*")),
                    seconds=20,
                    what="the batch is kept",
                )
        finally:
            stop(process)
        names = sorted(file.name for file in (folder / "log").glob("core.log*"))
        assert names == ["core.log", "core.log.1", "core.log.2"]
        assert all(file.stat().st_size < 200_000 for file in (folder / "log").iterdir())


def collected(server: socket.socket, *, until: str) -> list[str]:
    """The lines that a collector is sent, up to the one that ends so."""
    server.settimeout(40)
    connection, _ = server.accept()
    with connection, connection.makefile(encoding="utf-8") as lines:
        connection.settimeout(20)
        taken = []
        for line in lines:
            taken.append(line.rstrip("\n"))
            if taken[-1].endswith(until):
                break
        return taken


def test_collector_outside_is_sent_every_line_with_the_part_s_name_those_of_its_absence_too() -> None:
    port = free_port()
    with log_folder(forward=f"tcp://127.0.0.1:{port}") as folder:
        process = start_log(folder)
        try:
            say(folder, 0, 100)
            wait_for(lambda: kept(folder) == said(100), seconds=20, what="no file waits for the collector")
            with socket.create_server(("127.0.0.1", port)) as server:
                say(folder, 100, 1)
                taken = collected(server, until=said(101)[-1])
        finally:
            stop(process)
    assert [line.rpartition(" - - - ")[2].strip() for line in taken if " core - - - " in line] == said(101)


def test_without_a_collector_nothing_is_sent_anywhere() -> None:
    with log_folder() as folder:
        assert "omfwd" not in (folder / "rsyslog.conf").read_text()


def _takes(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(str(path)) == 0
